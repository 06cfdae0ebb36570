//! Integrations as people edit them: with their routes, and with what may be known of their secrets.

use std::collections::HashMap;

use domain::{DeliveryId, IntegrationId, RouteId, RouteSpec, SilentAfter, Timestamp};
use secrecy::SecretString;
use sqlx::QueryBuilder;

use crate::{
    Connection, SecretBox, StorageError, components,
    configuration::{Ids, Keys, Row, Targets, load_routes, set_routes},
    db::{execute, sql},
    deliveries::{self, DeliveryState},
    hint,
    hub::secret_place,
    order::{Key, Slice, Sorted, Value, push_slice},
    page,
    rows::{json, named, to_json},
    silence,
};

/// What people say of an integration; routes and secrets apart.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegrationEdit {
    /// Its name in the console.
    pub name: String,
    /// As the provider wants them.
    pub settings: serde_json::Value,
    /// Whether it takes anything in.
    pub enabled: bool,
    /// After how long its silence is a signal; `None` for never.
    pub silent_after: Option<SilentAfter>,
}

/// A configured provider.
#[derive(Clone, Debug)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Its name in URLs.
    pub key: String,
    /// The provider's slug.
    pub provider: String,
    /// What people say of it.
    pub edit: IntegrationEdit,
    /// Its routes, in order.
    pub routes: Vec<RouteSpec>,
    /// Its secrets, oldest first.
    pub secrets: Vec<KnownSecret>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What may be known of a secret.
#[derive(Clone, Debug)]
pub struct KnownSecret {
    /// Its id.
    pub id: i64,
    /// Its end, if it is long enough to show that.
    pub hint: String,
    /// When it was given.
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct IntegrationRow {
    integration_id: i64,
    key: String,
    provider: String,
    name: String,
    settings: String,
    enabled: bool,
    silent_after: Option<i64>,
    created_at: i64,
}

impl Sorted for Integration {
    const ID: &'static str = "integration_id";
    const KEYS: &'static [Key<Self>] = &[
        Key { name: "name", column: "name", folds: true, is_text: true, value: |integration| Value::Text(integration.edit.name.clone()) },
        Key { name: "key", column: "key", folds: false, is_text: true, value: |integration| Value::Text(integration.key.clone()) },
    ];

    fn id(&self) -> i64 {
        self.id.0
    }
}

/// A page of the integrations.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, slice: &Slice<Integration>) -> Result<Vec<Integration>, StorageError> {
    let mut listed = list_without_routes(conn, slice).await?;
    let only = if let [one] = listed.as_slice() { Some(one.id.0) } else { None };
    let (components, metrics) = target_keys(conn).await?;
    let mut routes = load_routes(conn, &components, &metrics, only).await?;
    for integration in &mut listed {
        let found = routes.remove(&integration.id.0).unwrap_or_default();
        integration.routes = found.into_iter().map(|(route, _)| route).collect();
    }
    Ok(listed)
}

/// The same with no routes, of which there may be many more.
///
/// # Errors
/// What the database said.
pub async fn list_without_routes(conn: &mut Connection, slice: &Slice<Integration>) -> Result<Vec<Integration>, StorageError> {
    let rows: Vec<IntegrationRow> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select integration_id, key, provider, name, settings, enabled, silent_after, created_at from integration where true",
        );
        push_slice!(query, slice, Integration::ID);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    let only = if let [row] = rows.as_slice() { Some(row.integration_id) } else { None };
    let mut secrets = secrets(conn, only).await?;
    let integration = |row: IntegrationRow| {
        let settings = json(&row.settings, "integration", "settings")?;
        Ok(Integration {
            id: IntegrationId(row.integration_id),
            key: row.key,
            provider: row.provider,
            edit: IntegrationEdit { name: row.name, settings, enabled: row.enabled, silent_after: silence::from_column(row.silent_after) },
            routes: Vec::new(),
            secrets: secrets.remove(&row.integration_id).unwrap_or_default(),
            created_at: Timestamp(row.created_at),
        })
    };
    rows.into_iter().map(integration).collect()
}

/// One integration.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: IntegrationId) -> Result<Option<Integration>, StorageError> {
    Ok(list(conn, &Slice::one(id.0)).await?.pop().filter(|integration| integration.id == id))
}

async fn target_keys(conn: &mut Connection) -> Result<(Keys, Keys), StorageError> {
    let components = components::keys(conn).await?.into_iter().map(|(id, key)| (id.0, key)).collect();
    let metrics = page::all_metrics(conn).await?.into_iter().map(|metric| (metric.id.0, metric.key)).collect();
    Ok((components, metrics))
}

async fn secrets(conn: &mut Connection, only: Option<i64>) -> Result<HashMap<i64, Vec<KnownSecret>>, StorageError> {
    let rows: Vec<(i64, i64, String, i64)> = sql!(conn, c => sqlx::query_as(
        "select integration_id, secret_id, hint, created_at from integration_secret
         where cast($1 as bigint) is null or integration_id = $1 order by secret_id",
    )
    .bind(only)
    .fetch_all(&mut *c)
    .await)?;
    let mut found: HashMap<i64, Vec<KnownSecret>> = HashMap::new();
    for (integration, id, hint, created_at) in rows {
        found.entry(integration).or_default().push(KnownSecret { id, hint, created_at: Timestamp(created_at) });
    }
    Ok(found)
}

/// What an integration is called, without what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its id.
    pub id: IntegrationId,
    /// Its name in URLs.
    pub key: String,
    /// The provider's slug.
    pub provider: String,
    /// Its name in the console.
    pub name: String,
    /// Whether it takes anything in.
    pub enabled: bool,
}

type OutlineRow = (i64, String, String, String, bool);

fn outline_of((id, key, provider, name, enabled): OutlineRow) -> Outline {
    Outline { id: IntegrationId(id), key, provider, name, enabled }
}

/// The outlines of the first integrations, by id.
///
/// # Errors
/// What the database said.
pub async fn outlines(conn: &mut Connection, limit: i64) -> Result<Vec<Outline>, StorageError> {
    let rows: Vec<OutlineRow> = sql!(conn, c => sqlx::query_as(
        "select integration_id, key, provider, name, enabled from integration order by integration_id limit $1",
    )
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(outline_of).collect())
}

/// The outline of one integration.
///
/// # Errors
/// What the database said.
pub async fn outline(conn: &mut Connection, id: IntegrationId) -> Result<Option<Outline>, StorageError> {
    let row: Option<OutlineRow> = sql!(conn, c => sqlx::query_as(
        "select integration_id, key, provider, name, enabled from integration where integration_id = $1",
    )
    .bind(id.0)
    .fetch_optional(&mut *c)
    .await)?;
    Ok(row.map(outline_of))
}

/// The outline of the integration that has a key.
///
/// # Errors
/// What the database said.
pub async fn outline_of_key(conn: &mut Connection, key: &str) -> Result<Option<Outline>, StorageError> {
    let row: Option<OutlineRow> = sql!(conn, c => sqlx::query_as(
        "select integration_id, key, provider, name, enabled from integration where key = $1",
    )
    .bind(key)
    .fetch_optional(&mut *c)
    .await)?;
    Ok(row.map(outline_of))
}

/// The key of every integration.
///
/// # Errors
/// What the database said.
pub async fn keys(conn: &mut Connection) -> Result<HashMap<IntegrationId, String>, StorageError> {
    let rows: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as("select integration_id, key from integration").fetch_all(&mut *c).await)?;
    Ok(rows.into_iter().map(|(id, key)| (IntegrationId(id), key)).collect())
}

/// What people call every route: its integration's key and its place, as in `prod-alerts[0]`.
///
/// # Errors
/// What the database said.
pub async fn route_labels(conn: &mut Connection) -> Result<HashMap<RouteId, String>, StorageError> {
    let rows: Vec<(i64, i32, String)> = sql!(conn, c => sqlx::query_as(
        "select r.route_id, r.position, i.key from route r join integration i on i.integration_id = r.integration_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(id, position, key)| (RouteId(id), format!("{key}[{position}]"))).collect())
}

/// Adds an integration without routes and secrets.
///
/// # Errors
/// [`StorageError::Taken`] if there is one of this key, or what the database said.
pub async fn insert(
    conn: &mut Connection,
    key: &str,
    provider: &str,
    edit: &IntegrationEdit,
    now: Timestamp,
) -> Result<IntegrationId, StorageError> {
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into integration (key, provider, name, settings, enabled, created_at, silent_after) values ($1, $2, $3, $4, $5, $6, $7)
         returning integration_id",
    )
    .bind(key)
    .bind(provider)
    .bind(edit.name.as_str())
    .bind(to_json(&edit.settings))
    .bind(edit.enabled)
    .bind(now.0)
    .bind(silence::to_column(edit.silent_after))
    .fetch_one(&mut *c)
    .await);
    id.map(IntegrationId).map_err(|error| StorageError::taken(error, "key"))
}

/// Changes what people say of an integration.
///
/// # Errors
/// What the database said.
pub async fn update(conn: &mut Connection, id: IntegrationId, edit: &IntegrationEdit) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update integration set name = $2, settings = $3, enabled = $4, silent_after = $5 where integration_id = $1")
            .bind(id.0)
            .bind(edit.name.as_str())
            .bind(to_json(&edit.settings))
            .bind(edit.enabled)
            .bind(silence::to_column(edit.silent_after))
    )?;
    Ok(())
}

/// Gives an integration exactly these routes. One that goes on keeps what it has taken up: see [`domain::match_routes`].
///
/// # Errors
/// [`StorageError::NoSuchKey`] if a route points at nothing, or what the database said.
pub async fn replace_routes(conn: &mut Connection, id: IntegrationId, routes: &[RouteSpec]) -> Result<(), StorageError> {
    let (components, metrics) = target_keys(conn).await?;
    let old = load_routes(conn, &components, &metrics, Some(id.0)).await?.remove(&id.0).unwrap_or_default();
    let (specs, rows): (Vec<RouteSpec>, Vec<Row>) = old.into_iter().unzip();
    let (components, metrics) = (Ids::from_keys("component", &components), Ids::from_keys("metric", &metrics));
    set_routes(conn, id.0, &specs, &rows, routes, &Targets { components: &components, metrics: &metrics }).await
}

/// Adds a secret; one that is there already is left as it is. Returns its id.
///
/// # Errors
/// What the database said.
pub async fn add_secret(
    conn: &mut Connection,
    secrets: &SecretBox,
    integration: IntegrationId,
    secret: &SecretString,
    now: Timestamp,
) -> Result<i64, StorageError> {
    let known: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as(
        "select secret_id, fingerprint from integration_secret where integration_id = $1",
    )
    .bind(integration.0)
    .fetch_all(&mut *c)
    .await)?;
    // Also one that lies under a key that is about to go.
    let prints: Vec<String> = secrets.fingerprints(secret).collect();
    if let Some((id, _)) = known.into_iter().find(|(_, print)| prints.contains(print)) {
        return Ok(id);
    }
    let fingerprint = secrets.fingerprint(secret);
    let sealed = secrets.seal(&secret_place(integration), secret);
    Ok(sql!(conn, c => sqlx::query_scalar(
        "insert into integration_secret (integration_id, ciphertext, fingerprint, hint, created_at) values ($1, $2, $3, $4, $5)
         returning secret_id",
    )
    .bind(integration.0)
    .bind(sealed.as_slice())
    .bind(fingerprint.as_str())
    .bind(hint(secret))
    .bind(now.0)
    .fetch_one(&mut *c)
    .await)?)
}

/// Removes a secret; tells whether the integration had it.
///
/// # Errors
/// What the database said.
pub async fn remove_secret(conn: &mut Connection, integration: IntegrationId, secret: i64) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query("delete from integration_secret where integration_id = $1 and secret_id = $2").bind(integration.0).bind(secret)
    )?;
    Ok(n > 0)
}

/// Removes an integration with its routes, its deliveries and everything it said; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: IntegrationId) -> Result<bool, StorageError> {
    deliveries::remove_all(conn, id.0).await?;
    Ok(execute!(conn, sqlx::query("delete from integration where integration_id = $1").bind(id.0))? > 0)
}

/// The newest delivery to an integration, but for those whose ids begin with `except`.
///
/// # Errors
/// What the database said.
pub async fn last_delivery(
    conn: &mut Connection,
    id: IntegrationId,
    except: &str,
) -> Result<Option<(DeliveryId, Timestamp, DeliveryState)>, StorageError> {
    let row: Option<(i64, i64, String)> = sql!(conn, c => sqlx::query_as(
        "select d.delivery_id, d.received_at, coalesce(f.state, 'pending') from delivery d left join fate f on f.delivery_id = d.delivery_id
         where d.integration_id = $1 and d.external_id not like $2 order by d.delivery_id desc limit 1",
    )
    .bind(id.0)
    .bind(format!("{except}%"))
    .fetch_optional(&mut *c)
    .await)?;
    row.map(|(id, at, state)| Ok((DeliveryId(id), Timestamp(at), named(&state, "delivery", "state")?))).transpose()
}
