//! The row of bars, one per day: an inline drawing of integers, small enough for a thousand rows.
//!
//! The days without trouble are one dashed line; each day with trouble is a rectangle on top, taller the worse it was, so that colour is
//! never alone. Scripts read the minutes from a compact attribute; without scripts the component's own page lists them in a table.

use std::{collections::BTreeMap, fmt::Write};

use domain::{BAR_DAYS, Component, Day, PageComponent, Span, Status};

use super::uptime::{percent, uptime};
use crate::page::site::Site;

/// Width of a day: a bar of 6 and a gap of 2, as in `stroke-dasharray`.
const STEP: i32 = 8;
const HEIGHT: i32 = 32;

/// One component's bars.
#[derive(Debug)]
pub(crate) struct Bars {
    /// Inner markup of the drawing. Made of numbers only.
    pub(crate) svg: String,
    /// `index:major.partial.degraded.unknown.maintenance` in minutes, joined by `;`.
    pub(crate) minutes: String,
    /// Index of the first day of which there is data.
    pub(crate) from: i32,
    /// What the drawing says, in words.
    pub(crate) label: String,
    /// "99.98 %", or nothing while there is no data.
    pub(crate) uptime: String,
}

impl Bars {
    pub(crate) fn of(component: &Component, days: &[Day], site: &Site) -> Self {
        let first = site.today() - BAR_DAYS + 1;
        let from = (site.day(component.created_at) - first).clamp(0, BAR_DAYS);
        let troubled: Vec<(i32, &Day)> =
            days.iter().map(|day| (day.day - first, day)).filter(|(index, _)| (0..BAR_DAYS).contains(index)).collect();
        let uptime = uptime(days, component.created_at, site).map(percent).unwrap_or_default();
        Self { svg: draw(from, &troubled), minutes: minutes(&troubled), from, label: label(&troubled, from, &uptime, site), uptime }
    }
}

/// The bars of a whole group: each day the worst of its components, the uptime their mean.
#[derive(Debug)]
pub(crate) struct GroupBars {
    pub(crate) svg: String,
    pub(crate) uptime: String,
}

impl GroupBars {
    pub(crate) fn of(members: &[&PageComponent], site: &Site) -> Self {
        let first = site.today() - BAR_DAYS + 1;
        let from = members.iter().map(|shown| (site.day(shown.component.created_at) - first).clamp(0, BAR_DAYS)).min().unwrap_or(0);
        let mut worst: BTreeMap<i32, &Day> = BTreeMap::new();
        for day in members.iter().flat_map(|shown| &shown.days).filter(|day| (first..first + BAR_DAYS).contains(&day.day)) {
            let slot = worst.entry(day.day - first).or_insert(day);
            if slot.worst() < day.worst() {
                *slot = day;
            }
        }
        let troubled: Vec<(i32, &Day)> = worst.into_iter().collect();
        let shares: Vec<f64> = members.iter().filter_map(|shown| uptime(&shown.days, shown.component.created_at, site)).collect();
        let mean = (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64);
        Self { svg: draw(from, &troubled), uptime: mean.map(percent).unwrap_or_default() }
    }
}

fn draw(from: i32, troubled: &[(i32, &Day)]) -> String {
    let mut svg = String::with_capacity(96 + troubled.len() * 56);
    // Writing to a string cannot fail.
    if from > 0 {
        let _ = write!(svg, "<path class=\"n\" d=\"M0 30h{}\"/>", from * STEP);
    }
    let _ = write!(svg, "<path class=\"k\" d=\"M{} 26h{}\"/>", from * STEP, (BAR_DAYS - from) * STEP);
    for (index, day) in troubled {
        let (class, height) = bar(day.worst());
        let _ = write!(svg, "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"6\" height=\"{height}\"/>", index * STEP, HEIGHT - height);
    }
    svg
}

/// The class and height of the bar of a day whose worst status this was.
const fn bar(worst: Status) -> (&'static str, i32) {
    match worst {
        Status::Operational => ("k", 12),
        Status::UnderMaintenance => ("w", 17),
        Status::Unknown => ("u", 17),
        Status::DegradedPerformance => ("d", 22),
        Status::PartialOutage => ("p", 27),
        Status::MajorOutage => ("m", 32),
    }
}

fn minutes(troubled: &[(i32, &Day)]) -> String {
    // A day with a second of trouble has a minute of it rather than none.
    let up = |span: Span| (span.0 + 59_999) / 60_000;
    let mut text = String::new();
    for (index, day) in troubled {
        let separator = if text.is_empty() { "" } else { ";" };
        let (major, partial, degraded) = (up(day.major_outage), up(day.partial_outage), up(day.degraded_performance));
        let (unknown, maintenance) = (up(day.unknown), up(day.under_maintenance));
        let _ = write!(text, "{separator}{index}:{major}.{partial}.{degraded}.{unknown}.{maintenance}");
    }
    text
}

fn label(troubled: &[(i32, &Day)], from: i32, uptime: &str, site: &Site) -> String {
    let days = (BAR_DAYS - from).max(1);
    let span = if days == 1 { "today".to_owned() } else { format!("in {days} days") };
    let start = if uptime.is_empty() { "No data yet".to_owned() } else { format!("{uptime} uptime {span}") };
    let bad: Vec<i32> = troubled.iter().filter(|(_, day)| day.worst().is_fault()).map(|(index, _)| *index).collect();
    match (bad.as_slice(), bad.last()) {
        ([_], Some(last)) => format!("{start}, trouble on {}", site.date_words(site.today() - BAR_DAYS + 1 + last)),
        (all, Some(last)) => {
            format!("{start}, trouble on {} days, last on {}", all.len(), site.date_words(site.today() - BAR_DAYS + 1 + last))
        }
        _ => start,
    }
}
