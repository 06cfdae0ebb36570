//! Series of maintenances.

use std::collections::{BTreeSet, HashMap};

use domain::{ComponentId, Series, SeriesId, SeriesSpec};

use super::{Ids, Keys, load::Stored};
use crate::{Connection, StorageError, series};

pub(super) async fn load(conn: &mut Connection, components: &Keys) -> Result<(Vec<SeriesSpec>, HashMap<String, i64>), StorageError> {
    let all = series::all(conn).await?;
    let ids = all.iter().map(|series| (series.key.clone(), series.id.0)).collect();
    let spec = |series: Series| SeriesSpec {
        key: series.key,
        title: series.title,
        body: series.body,
        schedule: series.schedule,
        announce: series.announce,
        components: series.components.iter().filter_map(|id| components.get(&id.0).cloned()).collect(),
    };
    Ok((all.into_iter().map(spec).collect(), ids))
}

/// Makes series as the file has them. What follows for their windows is worked out with everything else.
pub(super) async fn apply(conn: &mut Connection, stored: &Stored, desired: &[SeriesSpec], components: &Ids) -> Result<(), StorageError> {
    let before: HashMap<&str, &SeriesSpec> = stored.desired.maintenance_series.iter().map(|spec| (spec.key.as_str(), spec)).collect();
    let keep: BTreeSet<&str> = desired.iter().map(|spec| spec.key.as_str()).collect();
    for (key, id) in &stored.series {
        if !keep.contains(key.as_str()) {
            series::delete(conn, SeriesId(*id)).await?;
        }
    }
    for spec in desired {
        if before.get(spec.key.as_str()) == Some(&spec) {
            continue;
        }
        let SeriesSpec { key, title, body, schedule, announce, components: keys } = spec.clone();
        let ids = components.get_all(&keys)?.into_iter().map(ComponentId).collect();
        let id = stored.series.get(&key).copied();
        let (id, scoped) = (SeriesId(id.unwrap_or_default()), !keys.is_empty());
        let wanted = Series { id, key, title, body, schedule, announce, scoped, components: ids, lay_at: None, closed: BTreeSet::new() };
        if before.contains_key(spec.key.as_str()) {
            series::update(conn, &wanted).await?;
        } else {
            series::insert(conn, &wanted).await?;
        }
    }
    Ok(())
}
