//! `/integrations/{id}/health`: how an integration is.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use domain::{HABIT_DELIVERIES, IntegrationId, Span, Timestamp, is_silent, silent_after};
use jobs::poll::ROUNDS_TO_LOSE;
use poem_openapi::Object;
use storage::{
    deliveries::DeliveryState,
    insight::{self, Said, Tally},
    integrations::outline,
};

use super::{
    super::{
        integration_views::{Activity, ConfirmationView, DuplicatesView, LastDelivery, PollView, RejectionView, activity},
        types::{Length, Time},
    },
    Admin, Problem,
};

/// The most deliveries of one state that are counted.
const MAX_COUNTED: i64 = 10_000;
/// How many deliveries the lag and the warnings are taken from.
const N_SAID: i64 = 100;
/// The most warnings that are shown.
const MAX_WARNINGS: usize = 20;
const HOUR: Span = Span::mins(60);
const DAY: Span = Span::mins(24 * 60);

/// How an integration is.
#[derive(Object)]
#[oai(rename = "IntegrationHealth")]
pub(super) struct HealthView {
    /// The newest delivery; tests are none of its own.
    #[oai(nullable)]
    last_delivery: Option<LastDelivery>,
    /// How many arrived in the last hour.
    last_hour: i64,
    /// How many arrived in the last 24 hours.
    last_day: i64,
    /// The latter by what became of them.
    last_day_by_state: BTreeMap<String, i64>,
    /// Set if more came than are counted, which are the newest 10,000 of each state: since when those came.
    #[oai(nullable)]
    counted_since: Option<Time>,
    /// How many of the last 100 deliveries that said something hold a warning: something in them was not understood.
    warned: u64,
    /// Those warnings, the most frequent first, at most 20.
    warnings: Vec<WarningView>,
    /// Requests that were not let in, by reason.
    rejections: Vec<RejectionView>,
    /// Deliveries that came again: they were acknowledged and changed nothing. Null if none did.
    #[oai(nullable)]
    duplicates: Option<DuplicatesView>,
    /// How asking goes, for a provider that is asked and once it has been.
    #[oai(nullable)]
    poll: Option<PollView>,
    /// Calls that its sender waits for before it begins to send, as the topics of Amazon SNS do, and what came of them.
    confirmations: Vec<ConfirmationView>,
    /// For a provider that is asked: `closed` while it is asked as often as it should be, `open` while it is left alone longer and longer because
    /// it cannot be read.
    #[oai(nullable)]
    breaker: Option<String>,
    /// The median, over the last 100 deliveries that said something, of the seconds from the newest event of a delivery to its arrival. Below
    /// zero if the sender's clock is ahead.
    #[oai(nullable)]
    lag_seconds: Option<f64>,
    /// Whether nothing has come for longer than is this sender's habit; for a provider that is asked, whether it counts as unreadable. Null while
    /// there is no habit, for which 20 deliveries are needed.
    #[oai(nullable)]
    silent: Option<bool>,
    /// How long a silence has to last for that: three times the gap that 95 of 100 gaps among the last 200 deliveries do not exceed, but at
    /// least the longest of these gaps and at least an hour.
    #[oai(nullable)]
    silent_after: Option<Length>,
}

/// What was not understood in deliveries.
#[derive(Object)]
#[oai(rename = "Warning")]
struct WarningView {
    text: String,
    /// In how many deliveries.
    n: u64,
    /// The newest of them.
    last_delivery: i64,
    /// When that arrived.
    last_at: Time,
}

pub(super) async fn look(admin: &Admin, id: IntegrationId) -> Result<HealthView, Problem> {
    let now = admin.now();
    let mut conn = admin.db.read().await?;
    let integration = outline(&mut conn, id).await?.ok_or_else(|| Problem::not_found("integration"))?;
    let Activity { last_delivery, rejections, duplicates, poll, confirmations } = activity(&mut conn, id, &integration.provider).await?;
    let (day_ago, hour_ago) = (Timestamp(now.0 - DAY.0), Timestamp(now.0 - HOUR.0));
    let tallies = insight::tally(&mut conn, id, day_ago, hour_ago, MAX_COUNTED).await?;
    let said = insight::said(&mut conn, id, N_SAID).await?;
    let is_asked = integrations::find(&integration.provider).is_some_and(|provider| provider.poll.is_some());
    // Equal answers are not stored, so the deliveries of a source that is asked make no habit.
    let arrivals =
        if is_asked { Vec::new() } else { insight::arrivals(&mut conn, id, integrations::silence::NOT_HEARD, HABIT_DELIVERIES).await? };
    let breaker = poll.as_ref().map(|poll| if poll.lost || poll.failures >= ROUNDS_TO_LOSE { "open" } else { "closed" }.to_owned());
    let last_day = tallies.iter().map(|tally| tally.n_all).sum();
    Ok(HealthView {
        last_delivery,
        last_hour: tallies.iter().map(|tally| tally.n_recent).sum(),
        last_day,
        last_day_by_state: by_state(&tallies),
        counted_since: tallies.iter().filter(|tally| tally.n_all >= MAX_COUNTED).map(|tally| tally.oldest_at).max().map(Time),
        warned: said.iter().filter(|said| said.signals.iter().any(|signal| !signal.warnings.is_empty())).count() as u64,
        warnings: warnings(&said),
        rejections,
        duplicates,
        confirmations,
        breaker,
        lag_seconds: median_lag(&said),
        silent: poll.as_ref().map(|poll| poll.lost).or_else(|| is_silent(&arrivals, now)),
        silent_after: silent_after(&arrivals).map(Length),
        poll,
    })
}

fn by_state(tallies: &[Tally]) -> BTreeMap<String, i64> {
    let n = |state: DeliveryState| tallies.iter().filter(|tally| tally.state == state).map(|tally| tally.n_all).sum();
    DeliveryState::ALL.iter().map(|state| (state.as_str().to_owned(), n(*state))).collect()
}

/// Each warning once, with the deliveries that hold it. `said` comes newest first.
fn warnings(said: &[Said]) -> Vec<WarningView> {
    let mut found: BTreeMap<&str, WarningView> = BTreeMap::new();
    for Said { delivery, at, signals } in said {
        let texts: BTreeSet<&str> = signals.iter().flat_map(|signal| &signal.warnings).map(String::as_str).collect();
        for text in texts {
            let first = || WarningView { text: text.to_owned(), n: 0, last_delivery: delivery.0, last_at: Time(*at) };
            found.entry(text).or_insert_with(first).n += 1;
        }
    }
    let mut found: Vec<WarningView> = found.into_values().collect();
    found.sort_by_key(|warning| Reverse((warning.n, warning.last_delivery)));
    found.truncate(MAX_WARNINGS);
    found
}

fn median_lag(said: &[Said]) -> Option<f64> {
    let lag = |said: &Said| {
        let newest = said.signals.iter().map(|signal| signal.occurred_at).max()?;
        Some(said.at.0 - newest.0) // The sender's clock may be ahead.
    };
    let mut lags: Vec<i64> = said.iter().filter_map(lag).collect();
    lags.sort_unstable();
    let (low, high) = (lags.get(lags.len().checked_sub(1)? / 2)?, lags.get(lags.len() / 2)?);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let median = (low + high) as f64 / 2.0;
    Some(median / 1000.0)
}

#[cfg(test)]
mod tests {
    use domain::{DeliveryId, Signal, SignalState};

    use super::*;

    fn signal(at: i64, warnings: &[&str]) -> Signal {
        let mut signal = Signal::new("f", SignalState::Firing, "s", Timestamp(at));
        signal.warnings = warnings.iter().map(|text| (*text).to_owned()).collect();
        signal
    }

    #[test]
    fn a_warning_stands_once_with_the_newest_delivery_that_holds_it() {
        let said = |id: i64, signals: Vec<Signal>| Said { delivery: DeliveryId(id), at: Timestamp(id * 1000), signals };
        let newest_first = [
            said(4, vec![signal(0, &["a"]), signal(0, &["a", "b"])]),
            said(3, vec![signal(0, &[])]),
            said(2, vec![signal(0, &["c"])]),
            said(1, vec![signal(0, &["a"])]),
        ];
        let found: Vec<_> = warnings(&newest_first).into_iter().map(|one| (one.text, one.n, one.last_delivery, one.last_at)).collect();
        let expected = [("a", 2, 4), ("b", 1, 4), ("c", 1, 2)].map(|(text, n, id)| (text.to_owned(), n, id, Time(Timestamp(id * 1000))));
        assert_eq!(found, expected);
        let many: Vec<String> = (0..=MAX_WARNINGS).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(warnings(&[said(1, vec![signal(0, &many)])]).len(), MAX_WARNINGS);
    }

    #[test]
    fn the_lag_is_the_median_of_what_the_newest_events_needed() {
        let said = |arrived: i64, occurred: &[i64]| {
            let signals = occurred.iter().map(|at| signal(*at, &[])).collect();
            Said { delivery: DeliveryId(arrived), at: Timestamp(arrived), signals }
        };
        assert_eq!(median_lag(&[]), None);
        assert_eq!(median_lag(&[said(5_000, &[])]), None);
        assert_eq!(median_lag(&[said(5_000, &[1_000, 3_500])]), Some(1.5));
        assert_eq!(median_lag(&[said(5_000, &[4_000]), said(9_000, &[6_000]), said(900_000, &[0])]), Some(3.0));
        assert_eq!(median_lag(&[said(5_000, &[4_000]), said(5_000, &[8_000])]), Some(-1.0), "a clock that is ahead");
    }
}
