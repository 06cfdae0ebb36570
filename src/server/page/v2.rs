//! Statuspage's public API, version 2, field for field, so that its many clients can read our page.
//!
//! Two of our words do not exist there. `unknown` becomes `degraded_performance`: the mildest value that no client takes for health. A
//! cancelled maintenance is left out, since every status there says that the window comes, runs or ran.

mod incidents;

use domain::{Component, GroupId, PageComponent, Status};
use serde::Serialize;

pub(super) use incidents::{Incident, ScheduledMaintenance};

use super::{
    short_id::{IdKind, short_id},
    site::Site,
    view::View,
};

/// How many incidents one document of `incidents.json` holds.
pub(super) const PER_PAGE: usize = 50;

/// The page as a whole, in Statuspage's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Indicator {
    /// All is well.
    None,
    /// Something is slow, or some things are partly down.
    Minor,
    /// Something is down, or all is partly down.
    Major,
    /// All is down.
    Critical,
    /// Nothing is wrong, but something is being worked on.
    Maintenance,
}

impl Indicator {
    /// The indicator and its customary description for components of these (Statuspage) statuses.
    #[must_use]
    pub fn of(statuses: &[Status]) -> (Self, &'static str) {
        let count = |wanted: Status| statuses.iter().filter(|status| known(**status) == wanted).count();
        let (major, partial, degraded) = (count(Status::MajorOutage), count(Status::PartialOutage), count(Status::DegradedPerformance));
        let all = statuses.len();
        if major > 0 && major == all {
            (Self::Critical, "Major System Outage")
        } else if major > 0 || (partial > 0 && partial == all) {
            (Self::Major, "Partial System Outage")
        } else if partial > 0 {
            (Self::Minor, "Minor Service Outage")
        } else if degraded > 0 && degraded == all {
            (Self::Minor, "Degraded System Service")
        } else if degraded > 0 {
            (Self::Minor, "Partially Degraded Service")
        } else if count(Status::UnderMaintenance) > 0 {
            (Self::Maintenance, "Service Under Maintenance")
        } else {
            (Self::None, "All Systems Operational")
        }
    }
}

/// The status in Statuspage's words; see the module's text about `unknown`.
const fn known(status: Status) -> Status {
    match status {
        Status::Unknown => Status::DegradedPerformance,
        other => other,
    }
}

#[derive(Serialize)]
pub(super) struct PageObject<'a> {
    id: String,
    name: &'a str,
    url: &'a str,
    time_zone: &'a str,
    updated_at: String,
}

#[derive(Serialize)]
pub(super) struct StatusObject {
    indicator: Indicator,
    description: &'static str,
}

#[derive(Serialize)]
pub(super) struct ComponentObject<'a> {
    id: String,
    name: String,
    status: &'static str,
    created_at: String,
    updated_at: String,
    position: i32,
    description: Option<&'a str>,
    showcase: bool,
    start_date: Option<String>,
    group_id: Option<String>,
    page_id: String,
    group: bool,
    only_show_if_degraded: bool,
    /// Groups only: a leaf does not carry the key at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<Vec<String>>,
}

/// A body: the page, and whichever of these the path promises.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    page: PageObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<Vec<ComponentObject<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents: Option<Vec<Incident<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_maintenances: Option<Vec<ScheduledMaintenance<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusObject>,
}

impl<'a> Body<'a> {
    fn empty(view: &View<'a>) -> Self {
        Self { page: page(view.site), components: None, incidents: None, scheduled_maintenances: None, status: None }
    }

    pub(super) fn summary(view: &View<'a>) -> Self {
        Self {
            components: Some(components(view)),
            incidents: Some(incidents::unresolved(view)),
            scheduled_maintenances: Some(incidents::scheduled(view, |status| status != "completed")),
            ..Self::status(view)
        }
    }

    pub(super) fn status(view: &View<'a>) -> Self {
        let statuses: Vec<Status> = view.data.components.iter().map(|shown| shown.component.status).collect();
        let (indicator, description) = Indicator::of(&statuses);
        Self { status: Some(StatusObject { indicator, description }), ..Self::empty(view) }
    }

    pub(super) fn components(view: &View<'a>) -> Self {
        Self { components: Some(components(view)), ..Self::empty(view) }
    }

    pub(super) fn incidents(view: &View<'a>, page: usize) -> Self {
        Self { incidents: Some(incidents::page(view, page)), ..Self::empty(view) }
    }

    pub(super) fn unresolved(view: &View<'a>) -> Self {
        Self { incidents: Some(incidents::unresolved(view)), ..Self::empty(view) }
    }

    /// The maintenances whose (Statuspage) status is `wanted`.
    pub(super) fn scheduled(view: &View<'a>, wanted: impl Fn(&str) -> bool) -> Self {
        Self { scheduled_maintenances: Some(incidents::scheduled(view, wanted)), ..Self::empty(view) }
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            tracing::error!(%error, "Could not write JSON");
            "{}".to_owned()
        })
    }
}

pub(super) fn page_id() -> String {
    short_id(IdKind::Page, 1)
}

fn page(site: &Site) -> PageObject<'_> {
    PageObject { id: page_id(), name: &site.name, url: &site.base, time_zone: &site.zone_name, updated_at: site.updated_at.to_string() }
}

/// Groups and leaves, each group before its leaves.
fn components<'a>(view: &View<'a>) -> Vec<ComponentObject<'a>> {
    let mut list: Vec<ComponentObject<'a>> = Vec::with_capacity(view.data.components.len() + view.data.groups.len());
    list.extend(view.data.components.iter().filter(|shown| group_of(view, shown).is_none()).map(|shown| leaf(view, &shown.component)));
    for group in &view.data.groups {
        let members: Vec<&PageComponent> = view.data.components.iter().filter(|shown| group_of(view, shown) == Some(group.id)).collect();
        if members.is_empty() {
            continue;
        }
        let id = short_id(IdKind::Group, group.id.0);
        let worst = members.iter().map(|shown| shown.component.status).max().unwrap_or_default();
        let oldest = members.iter().map(|shown| shown.component.created_at).min().unwrap_or_default();
        let newest = members.iter().map(|shown| shown.component.status_since).max().unwrap_or_default();
        list.push(ComponentObject {
            id,
            // Groups do not nest there: the inner one carries the whole path.
            name: view.group_path(Some(group.id), " / "),
            status: known(worst).as_str(),
            created_at: oldest.to_string(),
            updated_at: newest.to_string(),
            position: group.position,
            description: None,
            showcase: false,
            start_date: None,
            group_id: None,
            page_id: page_id(),
            group: true,
            only_show_if_degraded: false,
            components: Some(members.iter().map(|shown| short_id(IdKind::Component, shown.component.id.0)).collect()),
        });
        list.extend(members.into_iter().map(|shown| leaf(view, &shown.component)));
    }
    list
}

/// The component's group, if it is one that readers see.
fn group_of(view: &View<'_>, shown: &PageComponent) -> Option<GroupId> {
    shown.component.group.filter(|group| view.group(*group).is_some())
}

fn leaf<'a>(view: &View<'a>, component: &'a Component) -> ComponentObject<'a> {
    let description = component.description.trim();
    ComponentObject {
        id: short_id(IdKind::Component, component.id.0),
        name: component.name.clone(),
        status: known(component.status).as_str(),
        created_at: component.created_at.to_string(),
        updated_at: component.status_since.to_string(),
        position: component.position,
        description: (!description.is_empty()).then_some(description),
        showcase: true,
        start_date: Some(view.site.date(view.site.day(component.created_at)).to_string()),
        group_id: component.group.filter(|group| view.group(*group).is_some()).map(|group| short_id(IdKind::Group, group.0)),
        page_id: page_id(),
        group: false,
        only_show_if_degraded: false,
        components: None,
    }
}
