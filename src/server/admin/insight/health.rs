//! `/integrations/{id}/health`: how an integration is.

use std::collections::BTreeMap;

use domain::{HABIT_DELIVERIES, IntegrationId, Signal, Span, Timestamp, is_silent, silent_after};
use jobs::poll::ROUNDS_TO_LOSE;
use poem_openapi::Object;
use storage::{
    deliveries::DeliveryState,
    insight::{self, Tally},
    integrations::outline,
};

use super::{
    super::{
        integration_views::{Activity, ConfirmationView, LastDelivery, PollView, RejectionView, activity},
        types::{Length, Time},
    },
    Admin, Problem,
};

/// The most deliveries of one state that are counted.
const MAX_COUNTED: i64 = 10_000;
/// How many deliveries the lag is taken from.
const N_LAGS: i64 = 100;
const HOUR: Span = Span::mins(60);
const DAY: Span = Span::mins(24 * 60);

/// How an integration is.
#[derive(Object)]
#[oai(rename = "IntegrationHealth")]
pub(super) struct HealthView {
    /// The newest delivery.
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
    /// Requests that were not let in, by reason.
    rejections: Vec<RejectionView>,
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

pub(super) async fn look(admin: &Admin, id: IntegrationId) -> Result<HealthView, Problem> {
    let now = admin.now();
    let mut conn = admin.db.read().await?;
    let integration = outline(&mut conn, id).await?.ok_or_else(|| Problem::not_found("integration"))?;
    let Activity { last_delivery, rejections, poll, confirmations } = activity(&mut conn, id, &integration.provider).await?;
    let (day_ago, hour_ago) = (Timestamp(now.0 - DAY.0), Timestamp(now.0 - HOUR.0));
    let tallies = insight::tally(&mut conn, id, day_ago, hour_ago, MAX_COUNTED).await?;
    let lag = median_lag(&insight::said(&mut conn, id, N_LAGS).await?);
    let is_asked = integrations::find(&integration.provider).is_some_and(|provider| provider.poll.is_some());
    // Equal answers are not stored, so the deliveries of a source that is asked make no habit.
    let arrivals =
        if is_asked { Vec::new() } else { insight::arrivals(&mut conn, id, integrations::silence::PREFIX, HABIT_DELIVERIES).await? };
    let breaker = poll.as_ref().map(|poll| if poll.lost || poll.failures >= ROUNDS_TO_LOSE { "open" } else { "closed" }.to_owned());
    let last_day = tallies.iter().map(|tally| tally.n_all).sum();
    Ok(HealthView {
        last_delivery,
        last_hour: tallies.iter().map(|tally| tally.n_recent).sum(),
        last_day,
        last_day_by_state: by_state(&tallies),
        counted_since: tallies.iter().filter(|tally| tally.n_all >= MAX_COUNTED).map(|tally| tally.oldest_at).max().map(Time),
        rejections,
        confirmations,
        breaker,
        lag_seconds: lag,
        silent: poll.as_ref().map(|poll| poll.lost).or_else(|| is_silent(&arrivals, now)),
        silent_after: silent_after(&arrivals).map(Length),
        poll,
    })
}

fn by_state(tallies: &[Tally]) -> BTreeMap<String, i64> {
    let n = |state: DeliveryState| tallies.iter().filter(|tally| tally.state == state).map(|tally| tally.n_all).sum();
    DeliveryState::ALL.iter().map(|state| (state.as_str().to_owned(), n(*state))).collect()
}

fn median_lag(said: &[(Timestamp, Vec<Signal>)]) -> Option<f64> {
    let lag = |(arrived, signals): &(Timestamp, Vec<Signal>)| {
        let newest = signals.iter().map(|signal| signal.occurred_at).max()?;
        Some(arrived.0 - newest.0) // The sender's clock may be ahead.
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
    use domain::SignalState;

    use super::*;

    #[test]
    fn the_lag_is_the_median_of_what_the_newest_events_needed() {
        let said = |arrived: i64, occurred: &[i64]| {
            let signals = occurred.iter().map(|at| Signal::new("f", SignalState::Firing, "s", Timestamp(*at))).collect();
            (Timestamp(arrived), signals)
        };
        assert_eq!(median_lag(&[]), None);
        assert_eq!(median_lag(&[said(5_000, &[])]), None);
        assert_eq!(median_lag(&[said(5_000, &[1_000, 3_500])]), Some(1.5));
        assert_eq!(median_lag(&[said(5_000, &[4_000]), said(9_000, &[6_000]), said(900_000, &[0])]), Some(3.0));
        assert_eq!(median_lag(&[said(5_000, &[4_000]), said(5_000, &[8_000])]), Some(-1.0), "a clock that is ahead");
    }
}
