//! `/embed`: the state in a few lines, for a frame on other people's pages.

use askama::Template;
use domain::{MaintenanceStatus, Status};

use super::{
    site::Site,
    view::{Headline, IncidentCard, MaintenanceCard, View, html},
};

/// Frames are small: what is more than this is counted.
const MAX_LINES: usize = 3;

/// The colours of the widget, chosen by the page it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Theme {
    /// As the reader's device.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    pub(super) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// What an element says that is coloured so; nothing where the device decides.
    pub(crate) const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }

    /// What `?theme=` asks for; anything but `light` and `dark` is as if it were not there.
    pub(super) fn of(query: Option<&str>) -> Self {
        Self::named(query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("theme=")).unwrap_or_default())
    }

    /// The theme of this name; any other name lets the device decide.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }
}

#[derive(Template)]
#[template(path = "page/embed.html")]
struct Widget<'a> {
    site: &'a Site,
    theme: Option<&'static str>,
    headline: Headline,
    class: &'static str,
    incidents: Vec<IncidentCard<'a>>,
    n_more: usize,
    running: Vec<MaintenanceCard<'a>>,
}

pub(super) fn widget(view: &View<'_>, theme: Theme) -> String {
    let headline = Headline::of(view.data);
    let open = view.data.incidents.iter().filter(|shown| !shown.incident.status.is_over());
    let running = view.data.maintenances.iter().filter(|maintenance| maintenance.status == MaintenanceStatus::InProgress);
    html(&Widget {
        site: view.site,
        theme: theme.attribute(),
        class: if view.site.stale.is_some() { Status::Unknown.as_str() } else { headline.class(view.data) },
        headline,
        n_more: open.clone().count().saturating_sub(MAX_LINES),
        incidents: open.take(MAX_LINES).map(|shown| IncidentCard::new(shown, view)).collect(),
        running: running.take(MAX_LINES).map(|maintenance| MaintenanceCard::new(maintenance, view)).collect(),
    })
}
