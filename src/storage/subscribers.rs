//! Subscribers as the team sees them.

use std::collections::HashMap;

use domain::{Channel, ComponentId, Recipient, SubscriberId, Timestamp};
use secrecy::SecretString;
use sqlx::QueryBuilder;

use crate::{
    Connection, SecretBox, StorageError,
    db::{execute, sql},
    notifications::secret_place,
    order::{Key, Slice, Sorted, Value, push_slice},
    rows::{MAX_IN, named, push_ids},
    secrets::random_token,
};

/// Somebody who wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub id: SubscriberId,
    /// The way to reach it.
    pub channel: Channel,
    /// A mail address or a URL.
    pub address: String,
    /// What it wants to hear of; `None` is everything.
    pub components: Option<Vec<ComponentId>>,
    /// Whether a configuration file owns it.
    pub managed: bool,
    /// When the address was confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// When it came.
    pub created_at: Timestamp,
    /// Since when every try has failed.
    pub failing_since: Option<Timestamp>,
    /// When it was switched off.
    pub disabled_at: Option<Timestamp>,
    /// Why it was switched off.
    pub disabled_reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    subscriber_id: i64,
    channel: String,
    address: String,
    managed: bool,
    scoped: bool,
    confirmed_at: Option<i64>,
    created_at: i64,
    failing_since: Option<i64>,
    disabled_at: Option<i64>,
    disabled_reason: Option<String>,
}

/// Which subscribers to list.
#[derive(Clone, Debug, Default)]
pub struct SubscriberFilter {
    /// Only those on this channel.
    pub channel: Option<Channel>,
    /// Only those whose address holds this, in any case.
    pub address: Option<String>,
}

impl Sorted for Subscriber {
    const ID: &'static str = "subscriber_id";
    const KEYS: &'static [Key<Self>] = &[Key {
        name: "address",
        column: "address",
        folds: false,
        is_text: true,
        value: |subscriber| Value::Text(subscriber.address.clone()),
    }];

    fn id(&self) -> i64 {
        self.id.0
    }
}

/// A page of the subscribers that pass the filter.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, filter: &SubscriberFilter, slice: &Slice<Subscriber>) -> Result<Vec<Subscriber>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select subscriber_id, channel, address, managed, scoped, confirmed_at, created_at, failing_since, disabled_at, disabled_reason
             from subscriber where true",
        );
        if let Some(channel) = filter.channel {
            query.push(" and channel = ").push_bind(channel.as_str());
        }
        if let Some(part) = &filter.address {
            query.push(" and lower(address) like ").push_bind(holding(part)).push(" escape '!'");
        }
        push_slice!(query, slice, Subscriber::ID);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    let ids: Vec<i64> = rows.iter().filter(|row| row.scoped).map(|row| row.subscriber_id).collect();
    let mut scopes: HashMap<i64, Vec<ComponentId>> = HashMap::new();
    for chunk in ids.chunks(MAX_IN) {
        let pairs: Vec<(i64, i64)> = sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("select subscriber_id, component_id from subscriber_component where subscriber_id in (");
            push_ids(&mut query, chunk);
            query.push(" order by component_id");
            query.build_query_as().fetch_all(&mut *c).await?
        });
        for (subscriber, component) in pairs {
            scopes.entry(subscriber).or_default().push(ComponentId(component));
        }
    }
    let subscriber = |row: Row| {
        Ok(Subscriber {
            id: SubscriberId(row.subscriber_id),
            channel: named(&row.channel, "subscriber", "channel")?,
            address: row.address,
            components: row.scoped.then(|| scopes.remove(&row.subscriber_id).unwrap_or_default()),
            managed: row.managed,
            confirmed_at: row.confirmed_at.map(Timestamp),
            created_at: Timestamp(row.created_at),
            failing_since: row.failing_since.map(Timestamp),
            disabled_at: row.disabled_at.map(Timestamp),
            disabled_reason: row.disabled_reason,
        })
    };
    rows.into_iter().map(subscriber).collect()
}

/// A pattern for what holds `part`, in lower case.
pub(crate) fn holding(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// One subscriber.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: SubscriberId) -> Result<Option<Subscriber>, StorageError> {
    Ok(list(conn, &SubscriberFilter::default(), &Slice::one(id.0)).await?.pop().filter(|subscriber| subscriber.id == id))
}

/// How a subscriber is reached, with what its webhooks are signed with.
///
/// # Errors
/// What the database said, or a secret that does not open.
pub async fn recipient(
    conn: &mut Connection,
    secrets: &SecretBox,
    id: SubscriberId,
) -> Result<Option<(Recipient, Vec<SecretString>)>, StorageError> {
    type Row = (String, String, String, Option<Vec<u8>>);
    let row: Option<Row> = sql!(conn, c => sqlx::query_as("select channel, address, manage_token, secret from subscriber where subscriber_id = $1")
        .bind(id.0)
        .fetch_optional(&mut *c)
        .await)?;
    let Some((channel, address, manage_token, sealed)) = row else { return Ok(None) };
    let secret = sealed.map(|sealed| secrets.open(&secret_place(id), &sealed)).transpose()?;
    let recipient = Recipient { subscriber: id, channel: named(&channel, "subscriber", "channel")?, address, manage_token };
    Ok(Some((recipient, secret.into_iter().collect())))
}

/// How many are told of what concerns these components; of what concerns none in particular where it is `None`.
///
/// # Errors
/// What the database said.
pub async fn n_told(conn: &mut Connection, components: Option<&[ComponentId]>) -> Result<i64, StorageError> {
    let everything: i64 = sql!(conn, c => sqlx::query_scalar(
        "select count(*) from subscriber where not scoped and confirmed_at is not null and disabled_at is null",
    )
    .fetch_one(&mut *c)
    .await)?;
    let Some(components) = components else { return Ok(everything) };
    let ids: Vec<i64> = components.iter().map(|id| id.0).collect();
    let mut scoped = std::collections::HashSet::new();
    for chunk in ids.chunks(MAX_IN) {
        let found: Vec<i64> = sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new(
                "select distinct s.subscriber_id from subscriber_component sc join subscriber s on s.subscriber_id = sc.subscriber_id
                 where s.scoped and s.confirmed_at is not null and s.disabled_at is null and sc.component_id in (",
            );
            push_ids(&mut query, chunk);
            query.build_query_scalar().fetch_all(&mut *c).await?
        });
        scoped.extend(found);
    }
    Ok(everything + i64::try_from(scoped.len()).unwrap_or(i64::MAX))
}

/// Somebody to be told from now on.
#[derive(Debug)]
pub struct NewSubscriber<'a> {
    /// The way to reach it.
    pub channel: Channel,
    /// A mail address or a URL.
    pub address: &'a str,
    /// What webhooks are signed with.
    pub secret: Option<&'a SecretString>,
    /// What it wants to hear of; `None` is everything.
    pub components: Option<&'a [ComponentId]>,
}

/// Adds a subscriber that need not confirm: whoever adds it answers for the address.
///
/// # Errors
/// [`StorageError::Taken`] if the address is subscribed already, or what the database said.
pub async fn insert(
    conn: &mut Connection,
    secrets: &SecretBox,
    new: &NewSubscriber<'_>,
    now: Timestamp,
) -> Result<SubscriberId, StorageError> {
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into subscriber (channel, address, manage_token, scoped, confirmed_at, created_at) values ($1, $2, $3, $4, $5, $5)
         returning subscriber_id",
    )
    .bind(new.channel.as_str())
    .bind(new.address)
    .bind(random_token())
    .bind(new.components.is_some())
    .bind(now.0)
    .fetch_one(&mut *c)
    .await);
    let id = SubscriberId(id.map_err(|error| StorageError::taken(error, "address"))?);
    if let Some(secret) = new.secret {
        let (sealed, fingerprint) = (secrets.seal(&secret_place(id), secret), secrets.fingerprint(secret));
        execute!(
            conn,
            sqlx::query("update subscriber set secret = $2, secret_fingerprint = $3 where subscriber_id = $1")
                .bind(id.0)
                .bind(sealed.as_slice())
                .bind(fingerprint.as_str())
        )?;
    }
    for component in new.components.unwrap_or_default() {
        execute!(
            conn,
            sqlx::query("insert into subscriber_component (subscriber_id, component_id) values ($1, $2) on conflict do nothing")
                .bind(id.0)
                .bind(component.0)
        )?;
    }
    Ok(id)
}

/// Switches a subscriber on again that was switched off; what was cancelled stays so. Tells whether there is such a one.
///
/// # Errors
/// What the database said.
pub async fn enable(conn: &mut Connection, id: SubscriberId) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query(
            "update subscriber set disabled_at = null, disabled_reason = null, failing_since = null
             where subscriber_id = $1 and disabled_at is not null"
        )
        .bind(id.0)
    )?;
    Ok(n > 0)
}

/// Removes subscribers with everything owed to them; returns how many there were.
///
/// # Errors
/// What the database said.
pub async fn delete_these(conn: &mut Connection, ids: &[SubscriberId]) -> Result<u64, StorageError> {
    let mut n = 0;
    for some in ids.chunks(MAX_IN) {
        let some: Vec<i64> = some.iter().map(|id| id.0).collect();
        // First what is owed, as whoever sends it locks it: the other way round, PostgreSQL would have to end one of the two.
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("delete from notification where subscriber_id in (");
            push_ids(&mut query, &some);
            query.build().execute(&mut *c).await?;
        });
        n += sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("delete from subscriber where subscriber_id in (");
            push_ids(&mut query, &some);
            query.build().execute(&mut *c).await?.rows_affected()
        });
    }
    Ok(n)
}

/// Removes a subscriber with everything owed to it; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: SubscriberId) -> Result<bool, StorageError> {
    Ok(delete_these(conn, &[id]).await? > 0)
}
