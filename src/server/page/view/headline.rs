//! The one sentence that answers "is it down?".

use domain::{PageComponent, PageData, Status, Timestamp};

/// The sentence at the top of the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Headline {
    /// What the shape and colour say: the worst of all components.
    pub(crate) status: Status,
    /// "All systems operational", "API: major outage".
    pub(crate) text: String,
    /// Since when, for anything that is not health.
    pub(crate) since: Option<Timestamp>,
    /// A second, quieter sentence about what else is wrong.
    pub(crate) more: Option<String>,
}

impl Headline {
    pub(crate) fn of(data: &PageData) -> Self {
        let status = data.components.iter().map(|shown| shown.component.status).max().unwrap_or_default();
        if status == Status::Operational {
            return Self { status, text: healthy(data), since: None, more: None };
        }
        let worst: Vec<&PageComponent> = data.components.iter().filter(|shown| shown.component.status == status).collect();
        let others = data.components.iter().filter(|shown| shown.component.status.is_fault() && shown.component.status != status).count();
        Self {
            status,
            text: format!("{}: {}", who(data, &worst), words(status)),
            since: worst.iter().map(|shown| shown.component.status_since).min(),
            more: match others {
                0 => None,
                1 => Some("1 more system has trouble".to_owned()),
                n => Some(format!("{n} more systems have trouble")),
            },
        }
    }
}

impl Headline {
    /// The shape and colour: without a single system there is nothing to be well.
    pub(crate) fn class(&self, data: &PageData) -> &'static str {
        if data.components.is_empty() { "notice" } else { self.status.as_str() }
    }
}

fn healthy(data: &PageData) -> String {
    let n_open = data.incidents.iter().filter(|shown| !shown.incident.status.is_over()).count();
    match (data.components.len(), n_open) {
        (0, 0) => "No systems are listed yet".to_owned(),
        (0, 1) => "1 incident is open".to_owned(),
        (0, n) => format!("{n} incidents are open"),
        (_, 0) => "All systems operational".to_owned(),
        (_, 1) => "All systems operational, 1 incident open".to_owned(),
        (_, n) => format!("All systems operational, {n} incidents open"),
    }
}

/// Up to two names, the name of the group if it is all of one, or a number.
fn who(data: &PageData, worst: &[&PageComponent]) -> String {
    let name = |shown: &PageComponent| shown.component.name.clone();
    if worst.len() == data.components.len() && worst.len() > 1 {
        return "All systems".to_owned();
    }
    match worst {
        [one] => name(one),
        [one, two] => format!("{} and {}", name(one), name(two)),
        many => whole_group(data, many).unwrap_or_else(|| format!("{} systems", many.len())),
    }
}

/// The group that these components, and no others, make up.
fn whole_group(data: &PageData, worst: &[&PageComponent]) -> Option<String> {
    let group = worst.first()?.component.group?;
    let inside = |shown: &PageComponent| shown.component.group == Some(group);
    let n_inside = data.components.iter().filter(|shown| inside(shown)).count();
    let whole = n_inside == worst.len() && worst.iter().all(|shown| inside(shown));
    data.groups.iter().find(|candidate| whole && candidate.id == group).map(|found| found.name.clone())
}

const fn words(status: Status) -> &'static str {
    match status {
        Status::Unknown => "status unknown",
        other => other.words(),
    }
}
