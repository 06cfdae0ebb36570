//! What the HTML pages show, worked out before a template sees it.

mod bars;
mod components;
mod headline;
mod history;
mod home;
mod incidents;
mod maintenances;
mod metrics;
mod past;
mod single;
mod uptime;

use std::collections::HashMap;

use domain::{Component, ComponentId, Group, GroupId, Impact, PageComponent, PageData, Status, Timestamp};

use super::site::Site;

pub(super) use headline::Headline;
pub(super) use history::History;
pub(super) use home::Home;
pub(super) use incidents::IncidentCard;
pub(super) use maintenances::MaintenanceCard;
pub(crate) use metrics::Chart;
pub(super) use single::{ComponentPage, ErrorPage, IncidentPage, MaintenancePage};
#[cfg(test)]
pub(super) use uptime::{percent, uptime};

/// One version's data with its indexes.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) site: &'a Site,
    pub(super) data: &'a PageData,
    components: HashMap<ComponentId, &'a PageComponent>,
    groups: HashMap<GroupId, &'a Group>,
}

impl<'a> View<'a> {
    pub(super) fn new(site: &'a Site, data: &'a PageData) -> Self {
        Self {
            site,
            data,
            components: data.components.iter().map(|shown| (shown.component.id, shown)).collect(),
            groups: data.groups.iter().map(|group| (group.id, group)).collect(),
        }
    }

    /// A component that readers may see.
    pub(super) fn component(&self, id: ComponentId) -> Option<&'a Component> {
        self.shown(id).map(|shown| &shown.component)
    }

    pub(super) fn shown(&self, id: ComponentId) -> Option<&'a PageComponent> {
        self.components.get(&id).copied()
    }

    pub(super) fn group(&self, id: GroupId) -> Option<&'a Group> {
        self.groups.get(&id).copied()
    }

    /// The first and last day of something; until now if it has not ended.
    fn days(&self, from: Timestamp, until: Option<Timestamp>) -> (i32, i32) {
        (self.site.day(from), self.site.day(until.unwrap_or(self.site.as_of)))
    }

    /// The ids of those of these components that readers may see, separated by spaces.
    fn ids<'i>(&self, ids: impl IntoIterator<Item = &'i ComponentId>) -> String {
        let shown: Vec<String> = ids.into_iter().filter(|id| self.shown(**id).is_some()).map(ToString::to_string).collect();
        shown.join(" ")
    }

    /// The names of a component's groups, outermost first, joined by `separator`.
    pub(super) fn group_path(&self, id: Option<GroupId>, separator: &str) -> String {
        let mut names = Vec::new();
        let mut next = id.and_then(|id| self.group(id));
        while let Some(group) = next {
            names.push(group.name.as_str());
            // Groups that contain each other would never end.
            next = group.parent.filter(|_| names.len() < self.groups.len()).and_then(|id| self.group(id));
        }
        names.reverse();
        names.join(separator)
    }
}

/// The status in words, at the start of a line.
pub(super) const fn label(status: Status) -> &'static str {
    match status {
        Status::Operational => "Operational",
        Status::UnderMaintenance => "Under maintenance",
        Status::Unknown => "Unknown",
        Status::DegradedPerformance => "Degraded performance",
        Status::PartialOutage => "Partial outage",
        Status::MajorOutage => "Major outage",
    }
}

/// The shape and colour of something this bad.
const fn shape(impact: Impact) -> &'static str {
    match impact {
        Impact::None => "notice",
        Impact::Maintenance => "under_maintenance",
        Impact::Minor => "degraded_performance",
        Impact::Major => "partial_outage",
        Impact::Critical => "major_outage",
    }
}

/// Renders a template.
pub(super) fn html(template: &impl askama::Template) -> String {
    template.render().unwrap_or_else(|error| {
        // Only a failing `Display` can come here, and we have none.
        tracing::error!(%error, "Could not render a page");
        String::new()
    })
}
