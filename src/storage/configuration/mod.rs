//! Configuration as code: reads what the database holds of it, and makes the database equal to a file.

mod integrations;
mod load;
mod page;
mod secrets;
mod series;
mod sources;
mod subscribers;
mod templates;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use domain::{Desired, PageSettings, Timestamp};

use crate::{Connection, SecretBox, StorageError, db::execute, deliveries};

pub(crate) use integrations::set_routes;
use load::Stored;
pub(crate) use load::{Keys, Row, load_routes};
use secrets::Secrets;

/// Reads everything that configuration governs. Secrets come with their fingerprints alone.
///
/// # Errors
/// What the database said.
pub async fn load(conn: &mut Connection) -> Result<Desired, StorageError> {
    Ok(Stored::load(conn).await?.desired)
}

/// What a database holds that was just made.
#[must_use]
pub fn empty() -> Desired {
    let page = PageSettings { name: "Status".to_owned(), time_zone: "UTC".to_owned(), ..PageSettings::default() };
    Desired { page, ..Desired::default() }
}

/// Makes the database equal to `desired`, in the caller's transaction: on an error, drop it.
///
/// What stays keeps its id, its status and its history. Afterwards load the [`domain::State`] anew and let
/// [`domain::plan_reconfigured`] say what follows for statuses and incidents, in the same transaction.
///
/// # Errors
/// What the database said; a kept secret that is not stored; a key that leads nowhere.
pub async fn apply(conn: &mut Connection, secrets: &SecretBox, desired: &Desired, now: Timestamp) -> Result<(), StorageError> {
    let stored = Stored::load(conn).await?;
    // Before anything is removed: a kept secret may stand in what is.
    let secrets = Secrets::load(conn, secrets).await?;
    page::apply(conn, &stored, desired).await?;
    let groups = page::groups(conn, &stored, &desired.groups).await?;
    let components = page::components(conn, &stored, &desired.components, &groups, now).await?;
    let metrics = page::metrics(conn, &stored, &desired.metrics).await?;
    integrations::apply(conn, &secrets, &stored, desired, &Targets { components: &components, metrics: &metrics }, now).await?;
    sources::apply(conn, &stored, &desired.components, &components).await?;
    subscribers::apply(conn, &secrets, &stored, &desired.subscribers, &components, now).await?;
    series::apply(conn, &stored, &desired.maintenance_series, &components).await?;
    templates::apply(conn, &stored, &desired.incident_templates, &components).await?;
    remove(conn, &stored, desired).await
}

/// What routes point at.
pub(crate) struct Targets<'a> {
    pub(crate) components: &'a Ids,
    pub(crate) metrics: &'a Ids,
}

/// The ids of things of one kind, by key.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    kind: &'static str,
    by_key: HashMap<String, i64>,
}

impl Ids {
    fn of(kind: &'static str) -> Self {
        Self { kind, by_key: HashMap::new() }
    }

    pub(crate) fn from_keys(kind: &'static str, keys: &Keys) -> Self {
        Self { kind, by_key: keys.iter().map(|(id, key)| (key.clone(), *id)).collect() }
    }

    fn get(&self, key: &str) -> Result<i64, StorageError> {
        self.by_key.get(key).copied().ok_or_else(|| StorageError::NoSuchKey { kind: self.kind, key: key.to_owned() })
    }

    fn get_all<'k>(&self, keys: impl IntoIterator<Item = &'k String>) -> Result<Vec<i64>, StorageError> {
        keys.into_iter().map(|key| self.get(key)).collect()
    }
}

/// The position of the `i`-th entry of a list, which has far fewer entries than there are positions.
fn position(i: usize) -> i32 {
    i32::try_from(i).unwrap_or(i32::MAX)
}

/// Ends what the file does not name, after everything has been led away from it. Foreign keys take along what hangs on it.
async fn remove(conn: &mut Connection, stored: &Stored, desired: &Desired) -> Result<(), StorageError> {
    let keep: BTreeSet<_> = desired.subscribers.iter().map(|subscriber| (subscriber.channel, subscriber.address.as_str())).collect();
    for (subscriber, id) in stored.desired.subscribers.iter().zip(&stored.subscribers) {
        if !keep.contains(&(subscriber.channel, subscriber.address.as_str())) {
            execute!(conn, sqlx::query("delete from subscriber where subscriber_id = $1").bind(*id))?;
        }
    }
    let keep: BTreeSet<_> = desired.integrations.iter().map(|integration| integration.key.as_str()).collect();
    for (integration, row) in stored.desired.integrations.iter().zip(&stored.integrations) {
        if !keep.contains(integration.key.as_str()) {
            deliveries::remove_all(conn, row.id).await?;
            execute!(conn, sqlx::query("delete from integration where integration_id = $1").bind(row.id))?;
        }
    }
    let keep: BTreeSet<_> = desired.metrics.iter().map(|metric| metric.key.as_str()).collect();
    for (metric, row) in stored.desired.metrics.iter().zip(&stored.metrics) {
        if !keep.contains(metric.key.as_str()) {
            execute!(conn, sqlx::query("delete from metric where metric_id = $1").bind(row.id))?;
        }
    }
    let keep: BTreeSet<_> = desired.components.iter().map(|component| component.key.as_str()).collect();
    for (component, row) in stored.desired.components.iter().zip(&stored.components) {
        if !keep.contains(component.key.as_str()) {
            execute!(conn, sqlx::query("delete from component where component_id = $1").bind(row.id))?;
        }
    }
    let keep: BTreeSet<_> = desired.groups.iter().map(|group| group.key.as_str()).collect();
    for (group, row) in stored.desired.groups.iter().zip(&stored.groups) {
        if !keep.contains(group.key.as_str()) {
            execute!(conn, sqlx::query("delete from component_group where group_id = $1").bind(row.id))?;
        }
    }
    Ok(())
}
