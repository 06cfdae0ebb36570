//! What incidents may begin with.

use std::collections::BTreeMap;

use domain::{IncidentStatus, MAX_NAME_CHARS, MAX_TEMPLATES, Status, TemplateSpec};

use crate::{
    check,
    document::{Declared, own_key},
    integration::names,
    problem::quoted,
    reader::{At, Map, Unique},
    yaml::Content,
};

pub(crate) fn read(root: &Map<'_>, declared: &Declared<'_>) -> Vec<TemplateSpec> {
    let mut keys = Unique::default();
    root.list("incident_templates", MAX_TEMPLATES).iter().map(|at| one(at, &mut keys, declared)).collect()
}

fn one(at: &At<'_>, keys: &mut Unique, declared: &Declared<'_>) -> TemplateSpec {
    let map = at.map(&["key", "name", "title", "body", "status", "components"]);
    let key = own_key(&map, keys);
    TemplateSpec {
        name: map.get_some("name").map_or_else(|| key.clone(), |at| at.name(MAX_NAME_CHARS)),
        title: map.need("title").map_or_else(String::new, |at| title(&at)),
        body: map.get_some("body").map_or_else(String::new, |at| check::template(&at)),
        status: map.get_some("status").map_or(IncidentStatus::Investigating, |at| status(&at)),
        components: map.get_some("components").map(|at| components(&at, declared)).unwrap_or_default(),
        key,
    }
}

fn title(at: &At<'_>) -> String {
    let title = check::template(at);
    // Anything else than a text has been reported.
    if title.trim().is_empty() && !at.node.is_null() && matches!(at.node.content, Content::Scalar { .. }) {
        at.refuse("must not be blank");
    }
    title
}

/// An incident does not begin with its end.
fn status(at: &At<'_>) -> IncidentStatus {
    let open: Vec<IncidentStatus> = IncidentStatus::ALL.iter().copied().filter(|status| !status.is_over()).collect();
    let found = at.choice("where an incident begins", &names(&open, IncidentStatus::as_str));
    if found.is_some_and(IncidentStatus::is_over) {
        at.refuse(format!("an incident does not begin with its end; {} would do", quoted(IncidentStatus::Investigating.as_str())));
    }
    found.unwrap_or(IncidentStatus::Investigating)
}

/// The keys of components, each with its status.
fn components(at: &At<'_>, declared: &Declared<'_>) -> BTreeMap<String, Status> {
    let keys: Vec<&str> = declared.components.iter().copied().collect();
    let map = at.map(&keys);
    let status = |key: &String| Some((key.clone(), map.get(key)?.choice("a status", &names(Status::ALL, Status::as_str))?));
    map.entries().iter().filter_map(|entry| status(&entry.key)).collect()
}
