//! Habits: whether a sender has been silent for longer than is usual for it.

use crate::{Span, Timestamp};

/// How many of a sender's newest deliveries its habit is learned from.
pub const HABIT_DELIVERIES: usize = 200;
/// With fewer deliveries than this there is no habit yet.
pub const MIN_HABIT_DELIVERIES: usize = 20;
/// Shorter silences mean nothing, however busy the sender.
pub const MIN_SILENCE: Span = Span::mins(60);
/// So many times the usual gap is unusual.
const FACTOR: i64 = 3;
/// Gaps up to this share of all are usual, in percent.
const USUAL_PERCENT: usize = 95;

/// After how long without a delivery a sender has been silent for longer than its habit; `None` while it has none.
///
/// The longest of three: three times the gap that 95 of 100 of its gaps do not exceed, the longest gap it has had, and [`MIN_SILENCE`]. The
/// second is for senders that speak in bursts: nearly all their gaps are short, and the pause between two bursts is no silence.
#[must_use]
pub fn silent_after(arrivals: &[Timestamp]) -> Option<Span> {
    if arrivals.len() < MIN_HABIT_DELIVERIES {
        return None;
    }
    let mut sorted = arrivals.to_vec();
    sorted.sort_unstable();
    let mut gaps: Vec<i64> = sorted.windows(2).map(|pair| pair[1].since(pair[0]).0).collect();
    gaps.sort_unstable();
    let usual = gaps.get((gaps.len() * USUAL_PERCENT).div_ceil(100).saturating_sub(1))?;
    Some(Span(usual.saturating_mul(FACTOR)).max(Span(*gaps.last()?)).max(MIN_SILENCE))
}

/// Whether a sender whose deliveries arrived then has been silent for longer than its habit; `None` while it has none.
#[must_use]
pub fn is_silent(arrivals: &[Timestamp], now: Timestamp) -> Option<bool> {
    let newest = arrivals.iter().max()?;
    Some(now.since(*newest) > silent_after(arrivals)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(gap: Span, n: i64) -> Vec<Timestamp> {
        (0..n).map(|i| Timestamp(i * gap.0)).collect()
    }

    #[test]
    fn a_few_deliveries_make_no_habit() {
        let few = every(Span::mins(60), 19);
        assert_eq!((silent_after(&few), is_silent(&few, Timestamp(i64::MAX))), (None, None));
        assert_eq!(is_silent(&[], Timestamp(0)), None);
        assert!(silent_after(&every(Span::mins(60), 20)).is_some());
    }

    #[test]
    fn three_usual_gaps_are_unusual_and_an_hour_is_the_least() {
        assert_eq!(silent_after(&every(Span::mins(60), 30)), Some(Span::mins(180)));
        assert_eq!(silent_after(&every(Span::secs(10), 200)), Some(MIN_SILENCE));
        let hourly = every(Span::mins(60), 30);
        let last = *hourly.last().unwrap();
        assert_eq!(is_silent(&hourly, last.plus(Span::mins(180))), Some(false));
        assert_eq!(is_silent(&hourly, last.plus(Span::mins(181))), Some(true));
    }

    #[test]
    fn the_order_of_arrivals_does_not_matter() {
        let mut shuffled = every(Span::mins(60), 30);
        shuffled.reverse();
        assert_eq!(silent_after(&shuffled), Some(Span::mins(180)));
    }

    #[test]
    fn the_pause_between_two_bursts_is_no_silence() {
        let day = Span::mins(24 * 60);
        let bursts: Vec<Timestamp> =
            (0..4).flat_map(|burst| every(Span::secs(1), 40).into_iter().map(move |at| Timestamp(at.0 + burst * day.0))).collect();
        let after = silent_after(&bursts).unwrap();
        assert!(after > Span::mins(23 * 60) && after < day, "{after}");
    }
}
