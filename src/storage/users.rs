//! People who sign in.

use domain::{Role, Timestamp, UserId};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError, audit,
    db::{execute, sql},
    order::{Key, Order, Place, Slice, Sorted, Value, push_slice},
    rows::named,
};

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// In lower case.
    pub email: String,
    /// What the history calls them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they have a password.
    pub has_password: bool,
    /// Whether it is long enough to stand without a second factor.
    pub password_sole: bool,
    /// Whether they have a second factor.
    pub has_factor: bool,
    /// Whether an identity provider knows them.
    pub has_identity: bool,
    /// When they came.
    pub created_at: Timestamp,
    /// When they were last signed in.
    pub seen_at: Option<Timestamp>,
    /// Since when they may not come in.
    pub disabled_at: Option<Timestamp>,
    /// The zone that they read and write times in, if not that of the page.
    pub time_zone: Option<String>,
}

/// Somebody to be added.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    /// As [`domain::mail_address`] gives it.
    pub email: &'a str,
    /// What the history calls them.
    pub name: &'a str,
    /// What they may do.
    pub role: Role,
    /// Their password, if they have one.
    pub password: Option<NewPassword<'a>>,
}

/// A password that was checked and hashed.
#[derive(Clone, Copy, Debug)]
pub struct NewPassword<'a> {
    /// What [`crate::passwords::hash`] made.
    pub hash: &'a str,
    /// Whether it is long enough to stand without a second factor.
    pub sole: bool,
}

/// Why somebody cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done.
    Yes,
    /// There is nobody of this id.
    NoSuchUser,
    /// They are the only owner who can sign in.
    LastOwner,
}

#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    account_id: i64,
    email: String,
    name: String,
    role: String,
    has_password: bool,
    password_sole: bool,
    has_factor: bool,
    has_identity: bool,
    account_created_at: i64,
    account_seen_at: Option<i64>,
    disabled_at: Option<i64>,
    time_zone: Option<String>,
}

impl TryFrom<UserRow> for User {
    type Error = StorageError;

    fn try_from(row: UserRow) -> Result<Self, StorageError> {
        Ok(Self {
            id: UserId(row.account_id),
            email: row.email,
            name: row.name,
            role: named(&row.role, "account", "role")?,
            has_password: row.has_password,
            password_sole: row.password_sole,
            has_factor: row.has_factor,
            has_identity: row.has_identity,
            created_at: Timestamp(row.account_created_at),
            seen_at: row.account_seen_at.map(Timestamp),
            disabled_at: row.disabled_at.map(Timestamp),
            time_zone: row.time_zone,
        })
    }
}

/// What [`UserRow`] reads, of the table `account as a`.
macro_rules! user_columns {
    () => {
        "a.account_id, a.email, a.name, a.role, a.password is not null as has_password, a.password_sole,
         (exists (select 1 from totp f where f.account_id = a.account_id and f.confirmed_at is not null)
          or exists (select 1 from passkey k where k.account_id = a.account_id)) as has_factor,
         exists (select 1 from identity i where i.account_id = a.account_id) as has_identity,
         a.created_at as account_created_at, a.seen_at as account_seen_at, a.disabled_at, a.time_zone"
    };
}
pub(crate) use user_columns;

/// Whether the set-up has happened. It happens once: nothing makes this false again.
///
/// # Errors
/// What the database said.
pub async fn is_set_up(conn: &mut Connection) -> Result<bool, StorageError> {
    let n: i64 = sql!(conn, c => sqlx::query_scalar("select count(*) from set_up").fetch_one(&mut *c).await)?;
    Ok(n > 0)
}

/// Sets up: the first owner. Of several who try at once one succeeds; `None` for the others, and for everybody later.
///
/// # Errors
/// What the database said.
pub async fn set_up(conn: &mut Connection, owner: &NewUser<'_>, now: Timestamp) -> Result<Option<UserId>, StorageError> {
    if mark_set_up(conn, now).await? { create(conn, owner, now).await.map(Some) } else { Ok(None) }
}

/// Tells whether this was the first time.
async fn mark_set_up(conn: &mut Connection, now: Timestamp) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query("insert into set_up (set_up_id, done_at) values (1, $1) on conflict (set_up_id) do nothing").bind(now.0)
    )?;
    Ok(n > 0)
}

/// Adds somebody. An instance that has people needs no set-up any more.
///
/// # Errors
/// [`StorageError::Taken`] if the mail address is somebody's, or what the database said.
pub async fn create(conn: &mut Connection, new: &NewUser<'_>, now: Timestamp) -> Result<UserId, StorageError> {
    mark_set_up(conn, now).await?;
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into account (email, name, role, password, password_sole, created_at) values ($1, $2, $3, $4, $5, $6) returning account_id",
    )
    .bind(new.email)
    .bind(new.name)
    .bind(new.role.as_str())
    .bind(new.password.map(|password| password.hash))
    .bind(new.password.is_some_and(|password| password.sole))
    .bind(now.0)
    .fetch_one(&mut *c)
    .await);
    id.map(UserId).map_err(|error| StorageError::taken(error, "email"))
}

/// Somebody.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: UserId) -> Result<Option<User>, StorageError> {
    let row: Option<UserRow> = sql!(conn, c => sqlx::query_as(concat!("select ", user_columns!(), " from account a where a.account_id = $1"))
        .bind(id.0)
        .fetch_optional(&mut *c)
        .await)?;
    row.map(User::try_from).transpose()
}

/// Whose mail address this is, disabled or not.
///
/// # Errors
/// What the database said.
pub async fn find_by_email(conn: &mut Connection, email: &str) -> Result<Option<User>, StorageError> {
    let row: Option<UserRow> = sql!(conn, c => sqlx::query_as(concat!("select ", user_columns!(), " from account a where a.email = $1"))
        .bind(email)
        .fetch_optional(&mut *c)
        .await)?;
    row.map(User::try_from).transpose()
}

/// The hash of somebody's password, for [`crate::passwords::verify`].
///
/// # Errors
/// What the database said.
pub async fn password(conn: &mut Connection, id: UserId) -> Result<Option<String>, StorageError> {
    let found: Option<Option<String>> = sql!(conn, c => sqlx::query_scalar("select password from account where account_id = $1")
        .bind(id.0)
        .fetch_optional(&mut *c)
        .await)?;
    Ok(found.flatten())
}

/// People above the id `after`, oldest first, disabled ones too.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, after: i64, limit: i64) -> Result<Vec<User>, StorageError> {
    let slice = Slice { after: Some(Place { value: None, id: after }), ..Slice::first(Order::oldest(), limit) };
    list_some(conn, &UserFilter::default(), &slice).await
}

impl Sorted for User {
    const ID: &'static str = "a.account_id";
    const KEYS: &'static [Key<Self>] = &[
        Key { name: "name", column: "a.name", folds: true, is_text: true, value: |user| Value::Text(user.name.clone()) },
        Key { name: "email", column: "a.email", folds: false, is_text: true, value: |user| Value::Text(user.email.clone()) },
        Key { name: "role", column: "a.role", folds: false, is_text: true, value: |user| Value::Text(user.role.as_str().to_owned()) },
    ];

    fn id(&self) -> i64 {
        self.id.0
    }
}

/// Which people are listed.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Only those of this role.
    pub role: Option<Role>,
    /// Only the one of this mail address.
    pub email: Option<String>,
    /// Only those who are shut out, or only those who are not.
    pub disabled: Option<bool>,
}

/// As [`list`], of those that pass the filter.
///
/// # Errors
/// What the database said.
pub async fn list_some(conn: &mut Connection, filter: &UserFilter, slice: &Slice<User>) -> Result<Vec<User>, StorageError> {
    let rows: Vec<UserRow> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(concat!("select ", user_columns!(), " from account a where true"));
        if let Some(role) = filter.role {
            query.push(" and a.role = ").push_bind(role.as_str());
        }
        if let Some(email) = &filter.email {
            query.push(" and a.email = ").push_bind(email.clone());
        }
        if let Some(disabled) = filter.disabled {
            query.push(if disabled { " and a.disabled_at is not null" } else { " and a.disabled_at is null" });
        }
        push_slice!(query, slice, User::ID);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    rows.into_iter().map(User::try_from).collect()
}

/// Gives somebody another name.
///
/// # Errors
/// What the database said.
pub async fn rename(conn: &mut Connection, id: UserId, name: &str) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("update account set name = $2 where account_id = $1").bind(id.0).bind(name))?;
    Ok(())
}

/// Lets somebody read and write times in a zone of their own, or in that of the page.
///
/// # Errors
/// What the database said.
pub async fn set_time_zone(conn: &mut Connection, id: UserId, zone: Option<&str>) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("update account set time_zone = $2 where account_id = $1").bind(id.0).bind(zone))?;
    Ok(())
}

/// Gives somebody another mail address.
///
/// # Errors
/// [`StorageError::Taken`] if it is somebody's, or what the database said.
pub async fn set_email(conn: &mut Connection, id: UserId, email: &str) -> Result<(), StorageError> {
    let set = execute!(conn, sqlx::query("update account set email = $2 where account_id = $1").bind(id.0).bind(email));
    set.map(|_| ()).map_err(|error| StorageError::taken(error, "email"))
}

/// Gives somebody another password. Whoever calls this also ends their sessions.
///
/// # Errors
/// What the database said.
pub async fn set_password(conn: &mut Connection, id: UserId, new: NewPassword<'_>) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update account set password = $2, password_sole = $3 where account_id = $1").bind(id.0).bind(new.hash).bind(new.sole)
    )?;
    Ok(())
}

/// Puts a hash of the same password, made with more care, in the place of one that has not changed meanwhile.
///
/// # Errors
/// What the database said.
pub async fn rehash(conn: &mut Connection, id: UserId, old: &str, new: &str) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("update account set password = $3 where account_id = $1 and password = $2").bind(id.0).bind(old).bind(new))?;
    Ok(())
}

/// Gives somebody another role, and ends their sessions.
///
/// # Errors
/// What the database said.
pub async fn set_role(conn: &mut Connection, id: UserId, role: Role) -> Result<Changed, StorageError> {
    let changed = guard_last_owner(conn, id, role != Role::Owner).await?;
    if changed == Changed::Yes {
        execute!(conn, sqlx::query("update account set role = $2 where account_id = $1").bind(id.0).bind(role.as_str()))?;
        crate::sessions::end_all(conn, id, None).await?;
        crate::entry_links::delete_of(conn, id).await?;
    }
    Ok(changed)
}

/// Shuts somebody out, and ends their sessions; with `None` lets them in again.
///
/// # Errors
/// What the database said.
pub async fn set_disabled(conn: &mut Connection, id: UserId, since: Option<Timestamp>) -> Result<Changed, StorageError> {
    let changed = guard_last_owner(conn, id, since.is_some()).await?;
    if changed == Changed::Yes {
        execute!(
            conn,
            sqlx::query("update account set disabled_at = $2 where account_id = $1").bind(id.0).bind(since.map(|since| since.0))
        )?;
        crate::sessions::end_all(conn, id, None).await?;
        crate::entry_links::delete_of(conn, id).await?;
        crate::devices::forget_all(conn, id).await?;
    }
    Ok(changed)
}

/// Removes somebody with everything that is only theirs; in the audit log a pseudonym stays of them.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: UserId) -> Result<Changed, StorageError> {
    let changed = guard_last_owner(conn, id, true).await?;
    if changed == Changed::Yes {
        execute!(conn, sqlx::query("delete from account where account_id = $1").bind(id.0))?;
        audit::erase(conn, audit::Actor::User(id.0)).await?;
    }
    Ok(changed)
}

/// Of owners who leave at the same time one stays: whoever asks holds the row of the set-up until the end of the transaction.
async fn guard_last_owner(conn: &mut Connection, id: UserId, leaves: bool) -> Result<Changed, StorageError> {
    execute!(conn, sqlx::query("update set_up set done_at = done_at"))?;
    let Some(user) = find(conn, id).await? else { return Ok(Changed::NoSuchUser) };
    if !leaves || user.role != Role::Owner || user.disabled_at.is_some() {
        return Ok(Changed::Yes);
    }
    let n: i64 = sql!(conn, c => sqlx::query_scalar("select count(*) from account where role = 'owner' and disabled_at is null")
        .fetch_one(&mut *c)
        .await)?;
    Ok(if n > 1 { Changed::Yes } else { Changed::LastOwner })
}
