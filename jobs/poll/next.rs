//! When a source is asked again. Pure: the caller brings clock and chance.

use domain::{Span, Timestamp};

use super::ROUNDS_TO_LOSE;

/// Rounds vary by this much both ways, so that sources that were begun together drift apart.
const JITTER: f64 = 0.1;
/// How long a source that keeps failing is left alone at most, unless it is asked even more seldom in good times.
const MAX_PAUSE: Span = Span::mins(15);
/// How long a source may ask us to wait. Some say a day when a quota is used up.
const MAX_WAIT: Span = Span::mins(24 * 60);
/// A source that asks for more patience than this, and than [`ROUNDS_TO_LOSE`] of its rounds, is lost at once: it would take too long to find out.
const LOST_BEYOND: Span = Span::mins(5);

/// First rounds are spread over this long at least, so that a start is not a stampede.
const MIN_SPREAD: Span = Span::secs(2);
/// Time for each of the sources that begin together: what begins at once is asked at once ever after.
const FOR_EACH: Span = Span(6);

/// Over how long the first rounds of so many new sources are spread.
pub(super) fn spread(n: usize) -> Span {
    Span(FOR_EACH.0.saturating_mul(i64::try_from(n).unwrap_or(i64::MAX))).max(MIN_SPREAD)
}

/// When the next round is. Up to the moment at which a source counts as lost it is asked as always; then less and less often. `jitter` is a
/// random number in 0..1.
pub(super) fn round(now: Timestamp, every: Span, failures: i32, wait: Option<Span>, jitter: f64) -> Timestamp {
    let doublings = u32::try_from(failures - ROUNDS_TO_LOSE + 1).unwrap_or(0).min(16);
    let pause = Span(every.0.saturating_mul(1 << doublings)).min(MAX_PAUSE.max(every));
    let factor = 1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "pauses are far below 2^52 ms")]
    let varied = Span((pause.0 as f64 * factor) as i64);
    now.plus(varied.max(wait.unwrap_or(Span::ZERO).min(MAX_WAIT)))
}

/// Whether a source that could not be read so often in a row, and that asks for so much patience, counts as lost.
pub(super) fn is_lost(failures: i32, every: Span, wait: Option<Span>) -> bool {
    let patience = Span(every.0.saturating_mul(ROUNDS_TO_LOSE.into())).max(LOST_BEYOND);
    failures >= ROUNDS_TO_LOSE || wait.is_some_and(|wait| wait > patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const EVERY: Span = Span::secs(60);

    #[test]
    fn a_source_is_asked_less_often_once_it_is_lost_and_as_always_when_it_is_back() {
        let pause = |failures| round(NOW, EVERY, failures, None, 0.5).since(NOW);
        assert_eq!([0, 1, 2].map(pause), [EVERY; 3]);
        assert_eq!([3, 4, 5, 6, 60].map(pause), [120, 240, 480, 900, 900].map(Span::secs));
        let seldom = Span::mins(60);
        assert_eq!(round(NOW, seldom, 50, None, 0.5).since(NOW), seldom, "never more often than in good times");
    }

    #[test]
    fn many_sources_that_begin_together_are_spread_over_a_minute_and_few_over_moments() {
        assert_eq!([1, 100, 10_000].map(spread), [Span::secs(2), Span::secs(2), Span::secs(60)]);
    }

    #[test]
    fn rounds_vary_by_a_tenth() {
        let pause = |jitter| round(NOW, EVERY, 0, None, jitter).since(NOW);
        assert_eq!([pause(0.0), pause(1.0)], [Span::secs(54), Span::secs(66)]);
    }

    #[test]
    fn whoever_asks_for_patience_gets_it_within_reason() {
        let wait = |secs: i64| round(NOW, EVERY, 1, Some(Span::secs(secs)), 0.5).since(NOW);
        assert_eq!([wait(5), wait(300)], [EVERY, Span::secs(300)]);
        assert_eq!([86_399, 86_400, 86_401, 10_000_000].map(wait), [86_399, 86_400, 86_400, 86_400].map(Span::secs), "up to a day");
        assert_eq!(round(NOW, EVERY, 1, Some(Span(i64::MAX)), 0.5).since(NOW), MAX_WAIT);
    }

    #[test]
    fn a_source_is_lost_after_three_failures_or_when_it_asks_for_more_patience_than_they_take() {
        assert_eq!([1, 2, 3, 4].map(|failures| is_lost(failures, EVERY, None)), [false, false, true, true]);
        let asks = |every, wait| is_lost(1, every, Some(wait));
        assert_eq!([asks(EVERY, LOST_BEYOND), asks(EVERY, Span(LOST_BEYOND.0 + 1))], [false, true]);
        let (hour, three_hours) = (Span::mins(60), Span::mins(180));
        assert_eq!([asks(hour, three_hours), asks(hour, Span(three_hours.0 + 1))], [false, true], "it is seldom asked anyway");
    }
}
