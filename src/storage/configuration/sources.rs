//! How the sources of components add up, and what they depend on.

use std::collections::HashMap;

use domain::{Combine, ComponentId, ComponentSpec, Dependency, IntegrationId};

use super::{Ids, load::Stored};
use crate::{Connection, StorageError, combine, db::sql, dependencies};

/// Only now has every component and every integration an id to point at.
pub(super) async fn apply(conn: &mut Connection, stored: &Stored, desired: &[ComponentSpec], components: &Ids) -> Result<(), StorageError> {
    let before: HashMap<&str, &ComponentSpec> = stored.desired.components.iter().map(|spec| (spec.key.as_str(), spec)).collect();
    let rows: Vec<(String, i64)> = sql!(conn, c => sqlx::query_as("select key, integration_id from integration").fetch_all(&mut *c).await)?;
    let integrations: HashMap<String, IntegrationId> = rows.into_iter().map(|(key, id)| (key, IntegrationId(id))).collect();
    let stored = dependencies::all(conn).await?;
    for component in desired {
        let old = before.get(component.key.as_str());
        let id = ComponentId(components.get(&component.key)?);
        if old.map_or(&Combine::Worst, |old| &old.combine) != &component.combine {
            combine::set(conn, id, &component.combine.clone().rename(|key| integrations.get(key).copied())).await?;
        }
        if old.is_some_and(|old| old.depends_on == component.depends_on) {
            continue;
        }
        let mut on = Vec::with_capacity(component.depends_on.len());
        for one in &component.depends_on {
            on.push(Dependency { component: ComponentId(components.get(&one.component)?), effect: one.effect, settle: one.settle });
        }
        dependencies::set(conn, &stored, id, &on).await?;
    }
    Ok(())
}
