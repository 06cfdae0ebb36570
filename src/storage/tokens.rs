//! API tokens: who may use the admin API, and for what. Only a hash of a token is kept.

use std::net::IpAddr;

use domain::{Action, Permission, Resource, Role, Span, Timestamp, TokenId, UnknownName};
use ipnet::IpNet;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;

use crate::{
    Connection, Db, StorageError,
    db::{execute, sql},
    order::{Key, Slice, Sorted, Value, push_slice},
    rows::{json, to_json},
    subscribers::holding,
};

/// What every token begins with, so that it is recognised where it does not belong.
pub const TOKEN_PREFIX: &str = "fanal_";
/// The longest name, in characters.
pub const MAX_TOKEN_NAME_CHARS: usize = 100;
/// The most networks that a token may be bound to.
pub const MAX_NETWORKS: usize = 50;
/// The longest time that the secret before goes on counting.
pub const MAX_GRACE: Span = Span(7 * 24 * 3_600_000);
/// How old the noted last use may get before it is noted again.
const USE_NOTED_EVERY: Span = Span::mins(1);
/// 256 bits.
const TOKEN_BYTES: usize = 32;

/// What a token may do: `*`, or read or write things of one kind. To write does not include to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(&'static str);

impl Scope {
    /// Everything.
    pub const ALL: Self = Self("*");
    /// Every scope there is.
    pub const EVERY: &'static [Self] = &[
        Self::ALL,
        Self("audit:read"),
        Self("components:read"),
        Self("components:write"),
        Self("deliveries:read"),
        Self("deliveries:write"),
        Self("groups:read"),
        Self("groups:write"),
        Self("incidents:read"),
        Self("incidents:write"),
        Self("integrations:read"),
        Self("integrations:write"),
        Self("maintenances:read"),
        Self("maintenances:write"),
        Self("metrics:read"),
        Self("metrics:write"),
        Self("notifications:read"),
        Self("notifications:write"),
        Self("page:read"),
        Self("page:write"),
        Self("settings:read"),
        Self("subscribers:read"),
        Self("subscribers:write"),
        Self("tokens:read"),
        Self("tokens:write"),
        Self("users:read"),
        Self("users:write"),
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether it lets its bearer do what needs `wanted`.
    #[must_use]
    pub fn allows(self, wanted: &str) -> bool {
        self == Self::ALL || self.0 == wanted
    }

    /// What lets programs do as much as a permission lets people do; `None` where programs can do nothing of it.
    #[must_use]
    pub fn of(permission: Permission) -> Option<Self> {
        // Programs set overrides as part of components.
        let resource = if permission.resource == Resource::Overrides { Resource::Components } else { permission.resource };
        Permission { resource, ..permission }.to_string().parse().ok()
    }
}

impl std::str::FromStr for Scope {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::EVERY.iter().find(|scope| scope.0 == text).copied().ok_or_else(|| UnknownName {
            value: text.chars().take(64).collect(),
            allowed: Self::EVERY.iter().map(|scope| scope.0).collect::<Vec<_>>().join(", "),
        })
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for; stands in the history for what was done with it.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// About when it was last used.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it got its present secret, if that is not its first.
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before counts too.
    pub previous_until: Option<Timestamp>,
    /// From where it may be used; `None` for everywhere.
    pub networks: Option<Vec<IpNet>>,
}

impl Token {
    /// Whether it may be used from an address; one that is not known is nowhere.
    #[must_use]
    pub fn may_come_from(&self, address: Option<IpAddr>) -> bool {
        let Some(networks) = &self.networks else { return true };
        address.is_some_and(|address| networks.iter().any(|network| network.contains(&address.to_canonical())))
    }

    /// What it lacks to make somebody this, or to act on somebody who is: nobody gives more than they hold. Only `*` reaches to owners.
    #[must_use]
    pub fn lacks_for(&self, role: Role) -> Option<Scope> {
        if self.scopes.contains(&Scope::ALL) {
            return None;
        }
        if role.may(Permission { resource: Resource::Owners, action: Action::Write }) {
            return Some(Scope::ALL);
        }
        let needed = Permission::all().filter(|permission| role.may(*permission)).filter_map(Scope::of);
        needed.into_iter().find(|scope| !self.scopes.contains(scope))
    }
}

/// A token to be made.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewToken<'a> {
    /// What it is for.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// From where it may be used; `None` for everywhere.
    pub networks: Option<&'a [IpNet]>,
}

#[derive(sqlx::FromRow)]
struct Row {
    token_id: i64,
    name: String,
    hint: String,
    scopes: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    rotated_at: Option<i64>,
    previous_until: Option<i64>,
    networks: Option<String>,
}

impl TryFrom<Row> for Token {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let scopes: Vec<String> = json(&row.scopes, "token", "scopes")?;
        Ok(Self {
            id: TokenId(row.token_id),
            name: row.name,
            hint: row.hint,
            // A scope that this version does not know allows nothing.
            scopes: scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
            created_at: Timestamp(row.created_at),
            expires_at: row.expires_at.map(Timestamp),
            last_used_at: row.last_used_at.map(Timestamp),
            revoked_at: row.revoked_at.map(Timestamp),
            rotated_at: row.rotated_at.map(Timestamp),
            previous_until: row.previous_until.map(Timestamp),
            networks: row.networks.map(|text| networks(&text)).transpose()?,
        })
    }
}

macro_rules! columns {
    () => {
        "select token_id, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at, rotated_at, previous_until, networks from token "
    };
}

/// Makes a token that may be used from everywhere. Its secret is given out here and never again.
///
/// # Errors
/// What the database said.
pub async fn create(
    conn: &mut Connection,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Token, SecretString), StorageError> {
    insert(conn, NewToken { name, scopes, expires_at, networks: None }, now).await
}

/// Makes a token. Its secret is given out here and never again.
///
/// # Errors
/// What the database said.
pub async fn insert(conn: &mut Connection, new: NewToken<'_>, now: Timestamp) -> Result<(Token, SecretString), StorageError> {
    let (secret, hint) = new_secret();
    let names: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let id: i64 = sql!(conn, c => sqlx::query_scalar(
        "insert into token (name, hash, hint, scopes, created_at, expires_at, networks) values ($1, $2, $3, $4, $5, $6, $7)
         returning token_id",
    )
    .bind(new.name)
    .bind(hash(&secret))
    .bind(hint.as_str())
    .bind(to_json(&names))
    .bind(now.0)
    .bind(new.expires_at.map(|at| at.0))
    .bind(new.networks.map(|networks| to_json(&networks.iter().map(ToString::to_string).collect::<Vec<_>>())))
    .fetch_one(&mut *c)
    .await)?;
    let token = Token {
        id: TokenId(id),
        name: new.name.to_owned(),
        hint,
        scopes: new.scopes.to_vec(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
        rotated_at: None,
        previous_until: None,
        networks: new.networks.map(<[IpNet]>::to_vec),
    };
    Ok((token, secret))
}

/// Gives a token another secret, which is given out here and never again. The one before counts until `previous_until`; one before
/// that, no more. `None` if there is no valid token of this id.
///
/// # Errors
/// What the database said.
pub async fn rotate(
    conn: &mut Connection,
    id: TokenId,
    previous_until: Timestamp,
    now: Timestamp,
) -> Result<Option<SecretString>, StorageError> {
    let (secret, hint) = new_secret();
    let n = execute!(
        conn,
        sqlx::query(
            "update token set previous_hash = hash, previous_until = $4, hash = $2, hint = $3, rotated_at = $5
             where token_id = $1 and revoked_at is null and (expires_at is null or expires_at > $5)"
        )
        .bind(id.0)
        .bind(hash(&secret))
        .bind(hint)
        .bind(previous_until.0)
        .bind(now.0)
    )?;
    Ok((n > 0).then_some(secret))
}

fn new_secret() -> (SecretString, String) {
    let mut bytes = [0; TOKEN_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let secret = SecretString::from(format!("{TOKEN_PREFIX}{}", base64_url(&bytes)));
    let hint = crate::hint(&secret);
    (secret, hint)
}

fn networks(text: &str) -> Result<Vec<IpNet>, StorageError> {
    let texts: Vec<String> = json(text, "token", "networks")?;
    texts.iter().map(|text| text.parse().map_err(|error| StorageError::corrupt("token", "networks", error))).collect()
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A plain hash is enough: a token has 256 random bits, so nothing can be tried out. Nor is there anything to compare in constant
/// time: what is looked up is the hash.
fn hash(secret: &SecretString) -> String {
    hex::encode(Sha256::digest(secret.expose_secret().as_bytes()))
}

/// The token of this secret, if it is valid now; notes that it was used.
///
/// # Errors
/// What the database said.
pub async fn authenticate(db: &Db, secret: &SecretString, now: Timestamp) -> Result<Option<Token>, StorageError> {
    let mut conn = db.read().await?;
    let row: Option<Row> = sql!(conn, c => sqlx::query_as(concat!(
        columns!(),
        "where (hash = $1 or (previous_hash = $1 and previous_until > $2))
         and revoked_at is null and (expires_at is null or expires_at > $2)",
    ))
    .bind(hash(secret))
    .bind(now.0)
    .fetch_optional(&mut *c)
    .await)?;
    drop(conn);
    let Some(token) = row.map(Token::try_from).transpose()? else { return Ok(None) };
    if token.last_used_at.is_none_or(|at| now.since(at) >= USE_NOTED_EVERY) {
        let mut tx = db.begin().await?;
        execute!(tx, sqlx::query("update token set last_used_at = $2 where token_id = $1").bind(token.id.0).bind(now.0))?;
        tx.commit().await?;
    }
    Ok(Some(token))
}

impl Sorted for Token {
    const ID: &'static str = "token_id";
    const KEYS: &'static [Key<Self>] = &[
        Key { name: "name", column: "name", folds: true, is_text: true, value: |token| Value::Text(token.name.clone()) },
        Key {
            name: "last_used_at",
            column: "coalesce(last_used_at, 0)",
            folds: false,
            is_text: false,
            value: |token| Value::Number(token.last_used_at.map_or(0, |at| at.0)),
        },
    ];

    fn id(&self) -> i64 {
        self.id.0
    }
}

/// Which tokens are listed; what is `None` is no condition.
#[derive(Clone, Debug, Default)]
pub struct TokenFilter {
    /// Only those that count at this time, or only those that do not.
    pub valid: Option<(bool, Timestamp)>,
    /// What their names hold, in any case.
    pub name: Option<String>,
}

/// A page of the tokens that pass the filter; revoked ones too, unless it says otherwise.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, filter: &TokenFilter, slice: &Slice<Token>) -> Result<Vec<Token>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(concat!(columns!(), "where true"));
        if let Some((valid, now)) = filter.valid {
            query.push(if valid { " and " } else { " and not " });
            query.push("(revoked_at is null and (expires_at is null or expires_at > ").push_bind(now.0).push("))");
        }
        if let Some(name) = &filter.name {
            query.push(" and lower(name) like ").push_bind(holding(name)).push(" escape '!'");
        }
        push_slice!(query, slice, Token::ID);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    rows.into_iter().map(Token::try_from).collect()
}

/// One token.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: TokenId) -> Result<Option<Token>, StorageError> {
    let row: Option<Row> =
        sql!(conn, c => sqlx::query_as(concat!(columns!(), "where token_id = $1")).bind(id.0).fetch_optional(&mut *c).await)?;
    row.map(Token::try_from).transpose()
}

/// Ends a token for good; tells whether there was a valid one of this id.
///
/// # Errors
/// What the database said.
pub async fn revoke(conn: &mut Connection, id: TokenId, now: Timestamp) -> Result<bool, StorageError> {
    let n =
        execute!(conn, sqlx::query("update token set revoked_at = $2 where token_id = $1 and revoked_at is null").bind(id.0).bind(now.0))?;
    Ok(n > 0)
}
