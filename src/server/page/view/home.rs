//! The front page.

use std::collections::BTreeSet;

use askama::Template;
use domain::{MaintenanceStatus, Status};

use super::{
    Headline, View,
    components::{Components, Row},
    incidents::IncidentCard,
    maintenances::MaintenanceCard,
    metrics::Chart,
    past::{Earlier, Past, earlier, past},
};
use crate::page::site::Site;

/// `/`.
#[derive(Template)]
#[template(path = "page/home.html")]
pub(crate) struct Home<'a> {
    site: &'a Site,
    headline: Headline,
    class: &'static str,
    open: Vec<IncidentCard<'a>>,
    running: Vec<MaintenanceCard<'a>>,
    rows: Vec<Row<'a>>,
    groups: String,
    charts: Vec<Chart<'a>>,
    coming: Vec<MaintenanceCard<'a>>,
    past: Vec<Past<'a>>,
    earlier: Vec<Earlier<'a>>,
}

impl<'a> Home<'a> {
    pub(crate) fn new(view: &View<'a>) -> Self {
        let Components { rows, groups } = Components::new(view);
        let headline = Headline::of(view.data);
        let with_status = |status| -> Vec<MaintenanceCard<'a>> {
            let chosen = view.data.maintenances.iter().filter(|maintenance| maintenance.status == status);
            chosen.map(|maintenance| MaintenanceCard::new(maintenance, view)).collect()
        };
        Self {
            site: view.site,
            // What was true when we last knew is not what is true now.
            class: if view.site.stale.is_some() { Status::Unknown.as_str() } else { headline.class(view.data) },
            headline,
            open: view
                .data
                .incidents
                .iter()
                .filter(|shown| !shown.incident.status.is_over())
                .map(|shown| IncidentCard::new(shown, view))
                .collect(),
            running: with_status(MaintenanceStatus::InProgress),
            rows,
            groups,
            charts: view.data.metrics.iter().map(|shown| Chart::new(shown, view.site)).collect(),
            coming: next_of_each(with_status(MaintenanceStatus::Scheduled)),
            past: past(view),
            earlier: earlier(view),
        }
    }
}

/// Of a series only the next window: the others are in the calendar.
fn next_of_each(coming: Vec<MaintenanceCard<'_>>) -> Vec<MaintenanceCard<'_>> {
    let mut seen = BTreeSet::new();
    coming.into_iter().filter(|card| card.series.is_none_or(|series| seen.insert(series))).collect()
}
