//! Stays of people who are signed in. The cookie holds 192 random bits; the database only their hash.

use domain::{Role, SessionId, Span, Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Connection, Db, StorageError,
    db::{execute, sql},
    rows::{json, named, to_json},
    secrets::{hash_token, random_token},
    users::{User, UserRow, user_columns},
};

/// How long a stay lasts at most.
pub const MAX_STAY: Span = Span::mins(12 * 60);
/// How long somebody of a privileged role may do nothing.
pub const MAX_IDLE: Span = Span::mins(30);
/// How long the second factor may take.
const MAX_FACTOR_WAIT: Span = Span::mins(10);
/// How old the noted last request may get before it is noted again.
const SEEN_NOTED_EVERY: Span = Span::mins(1);
/// The most of what a browser says of itself that is kept.
const MAX_USER_AGENT_CHARS: usize = 300;

/// How far somebody is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The password was right; the second factor is awaited, and nothing else may be done.
    Factor,
    /// Signed in.
    Full,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Factor => "factor",
            Self::Full => "full",
        }
    }
}

impl std::str::FromStr for Stage {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "factor" => Ok(Self::Factor),
            "full" => Ok(Self::Full),
            _ => Err("it is neither `factor` nor `full`"),
        }
    }
}

/// By what somebody got in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Means {
    /// By their password, with the second factor where they have one.
    #[default]
    Password,
    /// By a passkey.
    Passkey,
    /// By an identity provider.
    Provider {
        /// How it made sure who it was, in its own words (`amr`).
        methods: Vec<String>,
    },
}

impl Means {
    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Provider { .. } => "provider",
        }
    }

    /// How the provider made sure who it was.
    #[must_use]
    pub fn methods(&self) -> Option<&[String]> {
        match self {
            Self::Provider { methods } => Some(methods),
            Self::Password | Self::Passkey => None,
        }
    }

    fn read(means: &str, methods: Option<&str>) -> Result<Self, StorageError> {
        match means {
            "password" => Ok(Self::Password),
            "passkey" => Ok(Self::Passkey),
            "provider" => Ok(Self::Provider { methods: json(methods.unwrap_or("[]"), "session", "methods")? }),
            other => Err(StorageError::corrupt("session", "means", other)),
        }
    }
}

/// A stay, and whose it is.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user: User,
    /// How far they are in.
    pub stage: Stage,
    /// When it began.
    pub created_at: Timestamp,
    /// About when they last asked for something.
    pub seen_at: Timestamp,
    /// When they last proved who they are.
    pub proved_at: Timestamp,
    /// From where it began.
    pub address: String,
    /// What their browser says it is.
    pub user_agent: String,
    /// By what it began.
    pub means: Means,
}

/// Where somebody comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visit<'a> {
    /// The network address.
    pub address: &'a str,
    /// What the browser says it is.
    pub user_agent: &'a str,
}

#[derive(sqlx::FromRow)]
struct Row {
    session_id: i64,
    stage: String,
    created_at: i64,
    seen_at: i64,
    proved_at: i64,
    address: String,
    user_agent: String,
    means: String,
    methods: Option<String>,
    #[sqlx(flatten)]
    user: UserRow,
}

impl TryFrom<Row> for Session {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: SessionId(row.session_id),
            user: row.user.try_into()?,
            stage: named(&row.stage, "session", "stage")?,
            created_at: Timestamp(row.created_at),
            seen_at: Timestamp(row.seen_at),
            proved_at: Timestamp(row.proved_at),
            address: row.address,
            user_agent: row.user_agent,
            means: Means::read(&row.means, row.methods.as_deref())?,
        })
    }
}

macro_rules! valid_sessions {
    () => {
        concat!(
            "select s.session_id, s.stage, s.created_at, s.seen_at, s.proved_at, s.address, s.user_agent, s.means, s.methods, ",
            user_columns!(),
            " from session s join account a on a.account_id = s.account_id
             where a.disabled_at is null and s.created_at > $1 and (s.seen_at > $2 or a.role not in ($4, $5))
             and (s.stage = 'full' or s.created_at > $3) and ",
        )
    };
}

/// Binds what [`valid_sessions`] asks for; what follows begins with `$6`.
macro_rules! bind_valid {
    ($query:expr, $now:expr) => {
        $query
            .bind($now.0 - MAX_STAY.0)
            .bind($now.0 - MAX_IDLE.0)
            .bind($now.0 - MAX_FACTOR_WAIT.0)
            .bind(PRIVILEGED[0].as_str())
            .bind(PRIVILEGED[1].as_str())
    };
}

/// The roles of [`Role::is_privileged`].
const PRIVILEGED: [Role; 2] = [Role::Owner, Role::Admin];

/// Begins a stay; gives the secret for the cookie.
///
/// # Errors
/// What the database said.
pub async fn begin(
    conn: &mut Connection,
    user: UserId,
    stage: Stage,
    means: &Means,
    visit: Visit<'_>,
    now: Timestamp,
) -> Result<(SessionId, SecretString), StorageError> {
    let secret = SecretString::from(random_token());
    let user_agent: String = visit.user_agent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect();
    let id: i64 = sql!(conn, c => sqlx::query_scalar(
        "insert into session (account_id, hash, stage, created_at, seen_at, proved_at, address, user_agent, means, methods)
         values ($1, $2, $3, $4, $4, $4, $5, $6, $7, $8) returning session_id",
    )
    .bind(user.0)
    .bind(hash_token(secret.expose_secret()))
    .bind(stage.as_str())
    .bind(now.0)
    .bind(visit.address)
    .bind(user_agent.as_str())
    .bind(means.as_str())
    .bind(means.methods().map(|methods| to_json(&methods)))
    .fetch_one(&mut *c)
    .await)?;
    if stage == Stage::Full {
        execute!(conn, sqlx::query("update account set seen_at = $2 where account_id = $1").bind(user.0).bind(now.0))?;
    }
    Ok((SessionId(id), secret))
}

/// The stay of this secret, if it is valid now.
///
/// # Errors
/// What the database said.
pub async fn find(db: &Db, secret: &SecretString, now: Timestamp) -> Result<Option<Session>, StorageError> {
    let mut conn = db.read().await?;
    let row: Option<Row> = sql!(conn, c => bind_valid!(sqlx::query_as(concat!(valid_sessions!(), "s.hash = $6")), now)
        .bind(hash_token(secret.expose_secret()))
        .fetch_optional(&mut *c)
        .await)?;
    row.map(Session::try_from).transpose()
}

/// Notes that somebody used their stay just now, so that it goes on.
///
/// # Errors
/// What the database said.
pub async fn note_use(db: &Db, session: &Session, now: Timestamp) -> Result<(), StorageError> {
    if now.since(session.seen_at) < SEEN_NOTED_EVERY {
        return Ok(());
    }
    let mut tx = db.begin_lazily().await?;
    execute!(tx, sqlx::query("update session set seen_at = $2 where session_id = $1").bind(session.id.0).bind(now.0))?;
    execute!(tx, sqlx::query("update account set seen_at = $2 where account_id = $1").bind(session.user.id.0).bind(now.0))?;
    tx.commit().await
}

/// The stays of somebody that are valid now, newest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, user: UserId, now: Timestamp) -> Result<Vec<Session>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => bind_valid!(
        sqlx::query_as(concat!(valid_sessions!(), "s.account_id = $6 and s.stage = 'full' order by s.session_id desc limit 100")), now)
    .bind(user.0)
    .fetch_all(&mut *c)
    .await)?;
    rows.into_iter().map(Session::try_from).collect()
}

/// The stays of everybody, or of one, that are valid now: those below the id `before`, newest first.
///
/// # Errors
/// What the database said.
pub async fn list_all(
    conn: &mut Connection,
    user: Option<UserId>,
    before: i64,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Session>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => bind_valid!(sqlx::query_as(concat!(
        valid_sessions!(),
        "s.account_id = coalesce($6, s.account_id) and s.session_id < $7 and s.stage = 'full' order by s.session_id desc limit $8",
    )), now)
    .bind(user.map(|user| user.0))
    .bind(before)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    rows.into_iter().map(Session::try_from).collect()
}

/// Notes that somebody has just proved again who they are, and gives the stay a new secret: the old one is worth nothing from now on.
///
/// # Errors
/// What the database said.
pub async fn prove(conn: &mut Connection, id: SessionId, now: Timestamp) -> Result<SecretString, StorageError> {
    let secret = SecretString::from(random_token());
    execute!(
        conn,
        sqlx::query("update session set hash = $2, stage = 'full', proved_at = $3, seen_at = $3 where session_id = $1")
            .bind(id.0)
            .bind(hash_token(secret.expose_secret()))
            .bind(now.0)
    )?;
    Ok(secret)
}

/// Notes when somebody last proved who they are, where that was before their stay began.
///
/// # Errors
/// What the database said.
pub async fn set_proved(conn: &mut Connection, id: SessionId, at: Timestamp) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("update session set proved_at = $2 where session_id = $1").bind(id.0).bind(at.0))?;
    Ok(())
}

/// Gives a stay a new secret, which proves nothing anew: the old one is worth nothing from now on.
///
/// # Errors
/// What the database said.
pub async fn renew(conn: &mut Connection, id: SessionId) -> Result<SecretString, StorageError> {
    let secret = SecretString::from(random_token());
    let hash = hash_token(secret.expose_secret());
    execute!(conn, sqlx::query("update session set hash = $2 where session_id = $1").bind(id.0).bind(hash))?;
    Ok(secret)
}

/// Ends one stay of somebody; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn end(conn: &mut Connection, user: UserId, id: SessionId) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from session where account_id = $1 and session_id = $2").bind(user.0).bind(id.0))? > 0)
}

/// Ends all stays of somebody but `except`.
///
/// # Errors
/// What the database said.
pub async fn end_all(conn: &mut Connection, user: UserId, except: Option<SessionId>) -> Result<u64, StorageError> {
    Ok(execute!(
        conn,
        sqlx::query("delete from session where account_id = $1 and session_id <> $2").bind(user.0).bind(except.map_or(0, |id| id.0))
    )?)
}

/// Removes what has run out.
///
/// # Errors
/// What the database said.
pub async fn prune(conn: &mut Connection, now: Timestamp) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from session where created_at <= $1").bind(now.0 - MAX_STAY.0))?;
    Ok(())
}
