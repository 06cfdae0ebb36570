//! Links that work once: to set up, to accept an invitation, to choose a new password, to confirm a new mail address. Only a hash of each is kept.

use domain::{Role, Span, Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::named,
    secrets::{hash_token, random_token},
};

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To become the first owner.
    SetUp,
    /// To become one of us.
    Invitation {
        /// Under this mail address.
        email: String,
        /// As this.
        role: Role,
        /// On whose word.
        invited_by: String,
    },
    /// To choose a new password.
    Password {
        /// Of whom.
        user: UserId,
    },
    /// To show that a new mail address is read by whoever wants it.
    Email {
        /// Of whom.
        user: UserId,
        /// The new address.
        email: String,
    },
}

impl Purpose {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::SetUp => "set_up",
            Self::Invitation { .. } => "invitation",
            Self::Password { .. } => "password",
            Self::Email { .. } => "email",
        }
    }

    /// How long a link for this is good.
    #[must_use]
    pub const fn lasts(&self) -> Span {
        match self {
            Self::SetUp => Span::mins(15),
            Self::Invitation { .. } => Span::mins(3 * 24 * 60),
            Self::Password { .. } => Span::mins(30),
            Self::Email { .. } => Span::mins(24 * 60),
        }
    }
}

/// A link without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryLink {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    entry_link_id: i64,
    purpose: String,
    account_id: Option<i64>,
    email: Option<String>,
    role: Option<String>,
    invited_by: Option<String>,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<Row> for EntryLink {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let purpose = match (row.purpose.as_str(), row.account_id, row.email, row.role) {
            ("set_up", None, None, None) => Purpose::SetUp,
            ("invitation", None, Some(email), Some(role)) => {
                Purpose::Invitation { email, role: named(&role, "entry_link", "role")?, invited_by: row.invited_by.unwrap_or_default() }
            }
            ("password", Some(user), None, None) => Purpose::Password { user: UserId(user) },
            ("email", Some(user), Some(email), None) => Purpose::Email { user: UserId(user), email },
            (other, ..) => return Err(StorageError::corrupt("entry_link", "purpose", other)),
        };
        Ok(Self { id: row.entry_link_id, purpose, created_at: Timestamp(row.created_at), expires_at: Timestamp(row.expires_at) })
    }
}

macro_rules! columns {
    () => {
        "entry_link_id, purpose, account_id, email, role, invited_by, created_at, expires_at"
    };
}

/// Makes a link; gives its secret, this once. An older link for the same, to the same person, is good no longer.
///
/// # Errors
/// What the database said.
pub async fn create(conn: &mut Connection, purpose: &Purpose, now: Timestamp) -> Result<SecretString, StorageError> {
    let secret = SecretString::from(random_token());
    let (user, email, role, invited_by) = match purpose {
        Purpose::SetUp => (None, None, None, None),
        Purpose::Invitation { email, role, invited_by } => (None, Some(email.as_str()), Some(role.as_str()), Some(invited_by.as_str())),
        Purpose::Password { user } => (Some(user.0), None, None, None),
        Purpose::Email { user, email } => (Some(user.0), Some(email.as_str()), None, None),
    };
    execute!(
        conn,
        sqlx::query("delete from entry_link where expires_at <= $1 or (purpose = $2 and (account_id = $3 or email = $4))")
            .bind(now.0)
            .bind(purpose.as_str())
            .bind(user)
            .bind(email)
    )?;
    execute!(
        conn,
        sqlx::query(
            "insert into entry_link (hash, purpose, account_id, email, role, invited_by, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)"
        )
        .bind(hash_token(secret.expose_secret()))
        .bind(purpose.as_str())
        .bind(user)
        .bind(email)
        .bind(role)
        .bind(invited_by)
        .bind(now.0)
        .bind(now.plus(purpose.lasts()).0)
    )?;
    Ok(secret)
}

/// The link of this secret, if it is good now. It stays good.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, secret: &str, now: Timestamp) -> Result<Option<EntryLink>, StorageError> {
    let row: Option<Row> = sql!(conn, c => sqlx::query_as(concat!(
        "select ", columns!(), " from entry_link where hash = $1 and expires_at > $2",
    ))
    .bind(hash_token(secret))
    .bind(now.0)
    .fetch_optional(&mut *c)
    .await)?;
    row.map(EntryLink::try_from).transpose()
}

/// Uses a link up. Of several who try at once one gets it.
///
/// # Errors
/// What the database said.
pub async fn take(conn: &mut Connection, secret: &str, now: Timestamp) -> Result<Option<EntryLink>, StorageError> {
    let row: Option<Row> = sql!(conn, c => sqlx::query_as(concat!(
        "delete from entry_link where hash = $1 and expires_at > $2 returning ", columns!(),
    ))
    .bind(hash_token(secret))
    .bind(now.0)
    .fetch_optional(&mut *c)
    .await)?;
    row.map(EntryLink::try_from).transpose()
}

/// Invitations that nobody has accepted yet, newest first.
///
/// # Errors
/// What the database said.
pub async fn invitations(conn: &mut Connection, now: Timestamp) -> Result<Vec<EntryLink>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(concat!(
        "select ", columns!(), " from entry_link where purpose = 'invitation' and expires_at > $1 order by entry_link_id desc limit 200",
    ))
    .bind(now.0)
    .fetch_all(&mut *c)
    .await)?;
    rows.into_iter().map(EntryLink::try_from).collect()
}

/// The invitation to a mail address, if there is one that is good now.
///
/// # Errors
/// What the database said.
pub async fn invitation_of(conn: &mut Connection, email: &str, now: Timestamp) -> Result<Option<EntryLink>, StorageError> {
    let row: Option<Row> = sql!(conn, c => sqlx::query_as(concat!(
        "select ", columns!(), " from entry_link where purpose = 'invitation' and email = $1 and expires_at > $2 order by entry_link_id desc limit 1",
    ))
    .bind(email)
    .bind(now.0)
    .fetch_optional(&mut *c)
    .await)?;
    row.map(EntryLink::try_from).transpose()
}

/// Takes an invitation back; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete_invitation(conn: &mut Connection, id: i64) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from entry_link where entry_link_id = $1 and purpose = 'invitation'").bind(id))? > 0)
}

/// Makes every link to somebody's account worthless, and every invitation they gave.
///
/// # Errors
/// What the database said.
pub async fn delete_of(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("delete from entry_link where account_id = $1 or invited_by = (select email from account where account_id = $1)")
            .bind(user.0)
    )?;
    Ok(())
}
