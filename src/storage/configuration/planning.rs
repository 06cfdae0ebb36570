//! Series of maintenances, and templates of incidents.

use std::collections::{BTreeSet, HashMap};

use domain::{ComponentId, IncidentTemplate, Series, SeriesId, SeriesSpec, Status, TemplateId, TemplateSpec};

use super::{
    Ids, Keys,
    load::Stored,
};
use crate::{Connection, StorageError, series, templates};

pub(super) async fn load_series(
    conn: &mut Connection,
    components: &Keys,
) -> Result<(Vec<SeriesSpec>, HashMap<String, i64>), StorageError> {
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

pub(super) async fn load_templates(
    conn: &mut Connection,
    components: &Keys,
) -> Result<(Vec<TemplateSpec>, HashMap<String, i64>), StorageError> {
    let all = templates::all(conn).await?;
    let ids = all.iter().map(|template| (template.key.clone(), template.id.0)).collect();
    let spec = |template: IncidentTemplate| TemplateSpec {
        key: template.key,
        name: template.name,
        title: template.title,
        body: template.body,
        status: template.status,
        components: template.components.iter().filter_map(|(id, status)| Some((components.get(&id.0)?.clone(), *status))).collect(),
    };
    Ok((all.into_iter().map(spec).collect(), ids))
}

/// Makes series as the file has them. What follows for their windows is worked out with everything else.
pub(super) async fn series(
    conn: &mut Connection,
    stored: &Stored,
    desired: &[SeriesSpec],
    components: &Ids,
) -> Result<(), StorageError> {
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

pub(super) async fn templates(
    conn: &mut Connection,
    stored: &Stored,
    desired: &[TemplateSpec],
    components: &Ids,
) -> Result<(), StorageError> {
    let before: HashMap<&str, &TemplateSpec> = stored.desired.incident_templates.iter().map(|spec| (spec.key.as_str(), spec)).collect();
    let keep: BTreeSet<&str> = desired.iter().map(|spec| spec.key.as_str()).collect();
    for (key, id) in &stored.templates {
        if !keep.contains(key.as_str()) {
            templates::delete(conn, TemplateId(*id)).await?;
        }
    }
    for spec in desired {
        if before.get(spec.key.as_str()) == Some(&spec) {
            continue;
        }
        let affected = |(key, status): (&String, &Status)| Ok((ComponentId(components.get(key)?), *status));
        let affected = spec.components.iter().map(affected).collect::<Result<_, StorageError>>()?;
        let TemplateSpec { key, name, title, body, status, .. } = spec.clone();
        let id = TemplateId(stored.templates.get(&key).copied().unwrap_or_default());
        let wanted = IncidentTemplate { id, key, name, title, body, status, components: affected };
        if before.contains_key(spec.key.as_str()) {
            templates::update(conn, &wanted).await?;
        } else {
            templates::insert(conn, &wanted).await?;
        }
    }
    Ok(())
}
