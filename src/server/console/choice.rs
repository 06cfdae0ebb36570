//! What a form lets people choose from, all of it.

use storage::{Connection, StorageError, components, page};

/// One of several, as a form shows it.
pub(super) struct Choice {
    /// What is sent back.
    pub(super) key: String,
    /// What people read.
    pub(super) name: String,
}

/// Every component, in the order of the page.
pub(super) async fn components(conn: &mut Connection) -> Result<Vec<Choice>, StorageError> {
    Ok(components::names(conn).await?.into_iter().map(|(key, name)| Choice { key, name }).collect())
}

/// Every metric, in the order of the page.
pub(super) async fn metrics(conn: &mut Connection) -> Result<Vec<Choice>, StorageError> {
    Ok(page::all_metrics(conn).await?.into_iter().map(|metric| Choice { key: metric.key, name: metric.name }).collect())
}
