//! Uptime in numbers.

use domain::{BAR_DAYS, Day, Timestamp};

use crate::page::site::Site;

/// How much of a partial outage counts as down.
const PARTIAL_WEIGHT: f64 = 0.3;

/// The share of the shown days on which a component worked, between 0 and 1.
///
/// Time in major outage counts wholly, in partial outage by 0.3, degraded and planned time not at all. What lies before the component was
/// added is no part of it, and neither is time of unknown status: that would be a guess. `None` when nothing is left.
pub(crate) fn uptime(days: &[Day], created_at: Timestamp, site: &Site) -> Option<f64> {
    let first = site.today() - BAR_DAYS + 1;
    let from = created_at.max(Timestamp::start_of_day(first, &site.zone));
    let shown = days.iter().filter(|day| day.day >= first);
    let (mut down, mut unknown) = (0.0, 0.0);
    for day in shown {
        down += day.major_outage.0 as f64 + PARTIAL_WEIGHT * day.partial_outage.0 as f64;
        unknown += day.unknown.0 as f64;
    }
    let known = site.as_of.since(from).0 as f64 - unknown;
    (known > 0.0).then(|| (1.0 - down / known).clamp(0.0, 1.0))
}

/// "99.98 %", cut and not rounded: only a spotless record reads 100.
pub(crate) fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100\u{a0}%".to_owned();
    }
    // The tiny addition undoes what binary fractions lose, e.g. 0.999 * 10000 = 9989.999….
    format!("{:.2}\u{a0}%", (share * 10_000.0 + 1e-7).floor() / 100.0)
}
