//! No ciphertext is forgotten, moved or left under an old key.

use domain::{Channel, Role, Timestamp, TokenId};
use secrecy::{ExposeSecret, SecretString};

use super::{PLACES, rotate, usage};
use crate::{
    Db, SecretBox, confirmations,
    db::{execute, sql},
    factors, hub, idempotency, integrations,
    kept_forms::{self, KeptForm},
    notifications,
    sessions::{self, Means, Stage, Visit},
    subscribers::{self, NewSubscriber},
    tokens::{self, Scope},
    users,
};

const NOW: Timestamp = Timestamp(1_780_000_000_000);

/// Columns of bytes that hold no secret of somebody else: what was sent to us, and hashes.
const OTHERS: [&str; 7] = [
    "audit.hash",
    "audit.name_mark",
    "audit_actor.salt",
    "audit_head.base_hash",
    "audit_head.last_hash",
    "delivery.body",
    "page_image.content",
];
/// Sealed with the key, but nothing that could be opened.
const SEALS: [&str; 1] = ["audit_head.seal"];

struct Fixture {
    db: Db,
    folder: std::path::PathBuf,
}

impl Fixture {
    async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fanal-sealed-{}", uuid::Uuid::new_v4()));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, folder }
    }

    /// Fills every place.
    async fn fill(&self, secrets: &SecretBox) {
        let mut tx = self.db.begin().await.unwrap();
        let edit = integrations::IntegrationEdit { name: "x".into(), settings: serde_json::json!({}), enabled: true, silent_after: None };
        for key in ["a", "b"] {
            let id = integrations::insert(&mut tx, key, "alertmanager", &edit, NOW).await.unwrap();
            integrations::add_secret(&mut tx, secrets, id, &format!("secret-of-{key}").into(), NOW).await.unwrap();
            let url = SecretString::from(format!("https://sender.example/?token={key}"));
            let new = confirmations::NewConfirmation { integration: id, subject: key, external_id: "1", url: &url, ends_at: NOW };
            confirmations::request(&mut tx, secrets, &new, NOW).await.unwrap();
            let (address, secret) = (format!("https://{key}.example"), SecretString::from(format!("whsec_{key}")));
            let new = NewSubscriber { channel: Channel::Webhook, address: &address, secret: Some(&secret), components: None };
            subscribers::insert(&mut tx, secrets, &new, NOW).await.unwrap();
            let email = format!("{key}@example.com");
            let new = users::NewUser { email: &email, name: key, role: Role::Viewer, password: None };
            let user = users::create(&mut tx, &new, NOW).await.unwrap();
            factors::begin_totp(&mut tx, secrets, user, NOW).await.unwrap();
            let (stay, _) = sessions::begin(&mut tx, user, Stage::Full, &Means::Password, Visit::default(), NOW).await.unwrap();
            let form = KeptForm { path: "/console/x".into(), fields: key.into() };
            kept_forms::keep(&mut tx, secrets, stay, &form, NOW).await.unwrap();
        }
        let (token, _) = tokens::create(&mut tx, "t", &[Scope::ALL], None, NOW).await.unwrap();
        tx.commit().await.unwrap();
        for key in ["1", "2"] {
            let key = idempotency::Key { token: token.id, key };
            idempotency::claim(&self.db, secrets, key, "request", NOW).await.unwrap();
            let answer = idempotency::Answer { status: 201, location: None, etag: Some("\"tag\"".into()), body: "shown once".into() };
            idempotency::finish(&self.db, secrets, key, &answer).await.unwrap();
        }
    }

    async fn all_open(&self, secrets: &SecretBox) {
        let mut conn = self.db.read().await.unwrap();
        let hub = hub::load(&mut conn, secrets).await.unwrap();
        assert_eq!(hub[1].secrets[0].expose_secret(), "secret-of-b");
        let sealed: Vec<(i64, Vec<u8>)> =
            sql!(conn, c => sqlx::query_as("select subscriber_id, secret from subscriber order by 1").fetch_all(&mut *c).await).unwrap();
        let place = notifications::secret_place(domain::SubscriberId(sealed[0].0));
        assert_eq!(secrets.open(&place, &sealed[0].1).unwrap().expose_secret(), "whsec_a");
        assert!(factors::waiting_totp(&mut conn, secrets, domain::UserId(2)).await.unwrap().is_some());
        let due = confirmations::due(&mut conn, secrets, NOW, 10).await.unwrap();
        assert_eq!(due[1].url.as_ref().map(|url| url.expose_secret()), Some("https://sender.example/?token=b"));
        let kept = kept_forms::find(&mut conn, secrets, domain::SessionId(2), NOW).await.unwrap().unwrap();
        assert_eq!(kept.fields.expose_secret(), "b");
        drop(conn);
        let key = idempotency::Key { token: TokenId(1), key: "2" };
        let claim = idempotency::claim(&self.db, secrets, key, "request", NOW).await.unwrap();
        assert!(
            matches!(claim, idempotency::Claim::Answered(answer) if answer.body.expose_secret() == "shown once" && answer.etag.is_some())
        );
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn both(first: &SecretString, second: &SecretString) -> SecretBox {
    SecretBox::new(&SecretString::from(format!("{},{}", first.expose_secret(), second.expose_secret()))).unwrap()
}

#[tokio::test]
async fn every_column_of_bytes_is_known_for_what_it_holds() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.db.read().await.unwrap();
    let columns: Vec<String> = sql!(conn, c => sqlx::query_scalar(
        "select m.name || '.' || c.name from sqlite_master m join pragma_table_info(m.name) c
         where m.type = 'table' and m.name not like '\\_sqlx%' escape '\\' and lower(c.type) = 'blob' order by 1",
    )
    .fetch_all(&mut *c)
    .await)
    .unwrap();
    let sealed = PLACES.iter().map(|place| format!("{}.{}", place.table, place.column));
    let mut known: Vec<String> = sealed.chain(OTHERS.iter().chain(&SEALS).map(|name| (*name).to_owned())).collect();
    known.sort();
    assert_eq!(columns, known, "a new column of bytes belongs into PLACES, where its key is rotated, or is no secret and named here");
}

#[tokio::test]
async fn a_ciphertext_that_was_copied_to_another_row_does_not_open() {
    let fixture = Fixture::new().await;
    let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
    fixture.fill(&secrets).await;
    let mut tx = fixture.db.begin().await.unwrap();
    execute!(tx, sqlx::query("update integration_secret set ciphertext = (select ciphertext from integration_secret where secret_id = 1)"))
        .unwrap();
    assert!(hub::load(&mut tx, &secrets).await.is_err());
    execute!(tx, sqlx::query("update idempotency set body = (select body from idempotency where key = '1')")).unwrap();
    tx.commit().await.unwrap();
    let key = idempotency::Key { token: TokenId(1), key: "2" };
    assert!(idempotency::claim(&fixture.db, &secrets, key, "request", NOW).await.is_err());
}

#[tokio::test]
async fn after_a_rotation_the_old_key_can_go() {
    let fixture = Fixture::new().await;
    let (old, new) = (SecretBox::generate_key(), SecretBox::generate_key());
    fixture.fill(&SecretBox::new(&old).unwrap()).await;
    let secrets = both(&new, &old);
    let rotated = rotate(&fixture.db, &secrets, |_| ()).await.unwrap();
    assert!(rotated.iter().all(|place| (place.n, place.n_failed) == (2, 0)), "{rotated:?}");
    let again = rotate(&fixture.db, &secrets, |_| ()).await.unwrap();
    assert!(again.iter().all(|place| place.n == 0), "nothing is left to do: {again:?}");
    let usage = usage(&mut fixture.db.read().await.unwrap()).await.unwrap();
    assert_eq!(usage.iter().map(|place| (place.key.as_str(), place.n)).collect::<Vec<_>>(), [(secrets.key_ids()[0].as_str(), 2); 6]);
    fixture.all_open(&SecretBox::new(&new).unwrap()).await;
}

#[tokio::test]
async fn a_secret_without_its_key_is_counted_and_holds_up_no_other() {
    let fixture = Fixture::new().await;
    let (lost, old, new) = (SecretBox::generate_key(), SecretBox::generate_key(), SecretBox::generate_key());
    fixture.fill(&SecretBox::new(&old).unwrap()).await;
    let mut tx = fixture.db.begin().await.unwrap();
    let sealed = SecretBox::new(&lost).unwrap().seal("integration:1:secret", &"x".into());
    execute!(tx, sqlx::query("update integration_secret set ciphertext = $1 where secret_id = 1").bind(sealed.as_slice())).unwrap();
    tx.commit().await.unwrap();
    let rotated = rotate(&fixture.db, &both(&new, &old), |_| ()).await.unwrap();
    assert_eq!((rotated[0].n, rotated[0].n_failed), (1, 1));
}

#[tokio::test]
async fn a_given_secret_is_known_again_under_the_key_before() {
    let fixture = Fixture::new().await;
    let (old, new) = (SecretBox::generate_key(), SecretBox::generate_key());
    let before = SecretBox::new(&old).unwrap();
    fixture.fill(&before).await;
    let secrets = both(&new, &old);
    let mut tx = fixture.db.begin().await.unwrap();
    let same = integrations::add_secret(&mut tx, &secrets, domain::IntegrationId(1), &"secret-of-a".into(), NOW).await.unwrap();
    assert_eq!(same, 1);
    let print = before.fingerprint(&"secret-of-a".into());
    assert_eq!(secrets.known_fingerprint(&"secret-of-a".into(), |known| known == print), print);
    assert_eq!(secrets.known_fingerprint(&"secret-of-a".into(), |_| false), secrets.fingerprint(&"secret-of-a".into()));
}
