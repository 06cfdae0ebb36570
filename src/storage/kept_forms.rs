//! Forms that were sent and wait until whoever sent them has proved again who they are: one for each stay, sealed, for a few minutes.

use domain::{SessionId, Span, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Connection, SecretBox, StorageError,
    db::{execute, sql},
};

/// How long a form waits.
pub const MAX_WAIT: Span = Span::mins(10);
/// The largest form that is kept, in bytes.
pub const MAX_FORM_BYTES: usize = 64 << 10;

/// A form as it was sent.
#[derive(Clone, Debug)]
pub struct KeptForm {
    /// Where.
    pub path: String,
    /// What stood in it, as browsers encode it. It may hold secrets.
    pub fields: SecretString,
}

/// Keeps a form in place of the one before; tells whether it is small enough for that.
///
/// # Errors
/// What the database said.
pub async fn keep(
    conn: &mut Connection,
    secrets: &SecretBox,
    session: SessionId,
    form: &KeptForm,
    now: Timestamp,
) -> Result<bool, StorageError> {
    if form.fields.expose_secret().len() > MAX_FORM_BYTES {
        return Ok(false);
    }
    execute!(conn, sqlx::query("delete from kept_form where kept_at <= $1").bind(now.0 - MAX_WAIT.0))?;
    // A path has no line break.
    let text = SecretString::from(format!("{}\n{}", form.path, form.fields.expose_secret()));
    execute!(
        conn,
        sqlx::query(
            "insert into kept_form (session_id, ciphertext, kept_at) values ($1, $2, $3)
             on conflict (session_id) do update set ciphertext = excluded.ciphertext, kept_at = excluded.kept_at",
        )
        .bind(session.0)
        .bind(secrets.seal(&place(session), &text))
        .bind(now.0)
    )?;
    Ok(true)
}

/// The form that waits, if there is one.
///
/// # Errors
/// What the database said, or it cannot be decrypted.
pub async fn find(
    conn: &mut Connection,
    secrets: &SecretBox,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<KeptForm>, StorageError> {
    let sealed = sql!(conn, c => sqlx::query_scalar("select ciphertext from kept_form where session_id = $1 and kept_at > $2")
        .bind(session.0)
        .bind(now.0 - MAX_WAIT.0)
        .fetch_optional(&mut *c)
        .await)?;
    open(secrets, session, sealed)
}

/// The same, which waits no longer: whoever asks again finds nothing.
///
/// # Errors
/// What the database said, or it cannot be decrypted.
pub async fn take(
    conn: &mut Connection,
    secrets: &SecretBox,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<KeptForm>, StorageError> {
    let sealed = sql!(conn, c => sqlx::query_scalar("delete from kept_form where session_id = $1 and kept_at > $2 returning ciphertext")
        .bind(session.0)
        .bind(now.0 - MAX_WAIT.0)
        .fetch_optional(&mut *c)
        .await)?;
    open(secrets, session, sealed)
}

fn open(secrets: &SecretBox, session: SessionId, sealed: Option<Vec<u8>>) -> Result<Option<KeptForm>, StorageError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let text = secrets.open(&place(session), &sealed)?;
    let parts = text.expose_secret().split_once('\n');
    Ok(parts.map(|(path, fields)| KeptForm { path: path.to_owned(), fields: fields.into() }))
}

fn place(session: SessionId) -> String {
    format!("kept_form:{session}")
}

#[cfg(test)]
mod tests {
    use domain::Role;

    use super::*;
    use crate::{
        Db,
        sessions::{self, Means, Stage, Visit},
        users::{self, NewUser},
    };

    const NOW: Timestamp = Timestamp(1_780_000_000_000);

    fn form(fields: &str) -> KeptForm {
        KeptForm { path: "/console/tokens/new".to_owned(), fields: fields.into() }
    }

    #[tokio::test]
    async fn a_form_waits_for_its_own_stay_once_and_not_for_long() {
        let folder = std::env::temp_dir().join(format!("fanal-kept-{}", uuid::Uuid::new_v4()));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
        let mut tx = db.begin().await.unwrap();
        let user =
            users::create(&mut tx, &NewUser { email: "a@example.com", name: "A", role: Role::Owner, password: None }, NOW).await.unwrap();
        let mut stays = Vec::new();
        for _ in 0..2 {
            stays.push(sessions::begin(&mut tx, user, Stage::Full, &Means::Password, Visit::default(), NOW).await.unwrap().0);
        }
        let text = |found: Option<KeptForm>| found.map(|form| format!("{} {}", form.path, form.fields.expose_secret()));

        assert!(keep(&mut tx, &secrets, stays[0], &form("name=old"), NOW).await.unwrap());
        assert!(keep(&mut tx, &secrets, stays[0], &form("name=CI&password=s3cret"), NOW).await.unwrap());
        let stored: Vec<u8> = sql!(tx, c => sqlx::query_scalar("select ciphertext from kept_form").fetch_one(&mut *c).await).unwrap();
        assert!(!stored.windows(6).any(|part| part == b"s3cret"));
        assert!(find(&mut tx, &secrets, stays[1], NOW).await.unwrap().is_none());
        let expected = Some("/console/tokens/new name=CI&password=s3cret".to_owned());
        assert_eq!(text(find(&mut tx, &secrets, stays[0], NOW).await.unwrap()), expected);
        assert_eq!(text(take(&mut tx, &secrets, stays[0], NOW).await.unwrap()), expected);
        assert!(take(&mut tx, &secrets, stays[0], NOW).await.unwrap().is_none());

        keep(&mut tx, &secrets, stays[0], &form("a=b"), NOW).await.unwrap();
        let (last, over) = (Timestamp(NOW.0 + MAX_WAIT.0 - 1), Timestamp(NOW.0 + MAX_WAIT.0));
        assert!(find(&mut tx, &secrets, stays[0], last).await.unwrap().is_some());
        assert!(find(&mut tx, &secrets, stays[0], over).await.unwrap().is_none());
        keep(&mut tx, &secrets, stays[1], &form("a=b"), over).await.unwrap();
        sessions::end(&mut tx, user, stays[1]).await.unwrap();
        let n: i64 = sql!(tx, c => sqlx::query_scalar("select count(*) from kept_form").fetch_one(&mut *c).await).unwrap();
        assert_eq!(n, 0, "what is over is swept, and what belongs to a stay goes with it");

        assert!(keep(&mut tx, &secrets, stays[0], &form(&"a".repeat(MAX_FORM_BYTES)), NOW).await.unwrap());
        assert!(!keep(&mut tx, &secrets, stays[0], &form(&"a".repeat(MAX_FORM_BYTES + 1)), NOW).await.unwrap());
        drop(tx);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
