//! What incidents may begin with.

use std::collections::{BTreeSet, HashMap};

use domain::{ComponentId, IncidentTemplate, TemplateId, TemplateSpec};

use super::{Ids, Keys, load::Stored};
use crate::{Connection, StorageError, templates};

pub(super) async fn load(conn: &mut Connection, components: &Keys) -> Result<(Vec<TemplateSpec>, HashMap<String, i64>), StorageError> {
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

/// Makes templates as the file has them.
pub(super) async fn apply(conn: &mut Connection, stored: &Stored, desired: &[TemplateSpec], components: &Ids) -> Result<(), StorageError> {
    let before: HashMap<&str, &TemplateSpec> = stored.desired.incident_templates.iter().map(|spec| (spec.key.as_str(), spec)).collect();
    let keep: BTreeSet<&str> = desired.iter().map(|spec| spec.key.as_str()).collect();
    for (key, id) in &stored.templates {
        if !keep.contains(key.as_str()) {
            templates::delete(conn, TemplateId(*id)).await?;
        }
    }
    for spec in desired.iter().filter(|spec| before.get(spec.key.as_str()) != Some(spec)) {
        let TemplateSpec { key, name, title, body, status, components: affected } = spec.clone();
        let components = affected.iter().map(|(key, status)| Ok((ComponentId(components.get(key)?), *status)));
        let components = components.collect::<Result<_, StorageError>>()?;
        let id = stored.templates.get(&key).copied();
        let wanted = IncidentTemplate { id: TemplateId(id.unwrap_or_default()), key, name, title, body, status, components };
        if id.is_some() {
            templates::update(conn, &wanted).await?;
        } else {
            templates::insert(conn, &wanted).await?;
        }
    }
    Ok(())
}
