//! When a source is asked again. Pure: the caller brings clock and chance.

use domain::{Span, Timestamp};
use reqwest::header::HeaderValue;

use super::ROUNDS_TO_LOSE;

/// Rounds vary by this much both ways, so that sources that were begun together drift apart.
const JITTER: f64 = 0.1;
/// How long a source that keeps failing is left alone at most, unless it is asked even more seldom in good times.
const MAX_PAUSE: Span = Span::mins(15);
/// How long a source may ask us to wait.
const MAX_WAIT: Span = Span::mins(60);

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

/// What a source asks for, in seconds. One that names a date instead is asked at its usual time.
pub(super) fn retry_after(header: Option<&HeaderValue>) -> Option<Span> {
    let secs: i64 = header?.to_str().ok()?.trim().parse().ok()?;
    (secs >= 0).then(|| Span(secs.saturating_mul(1000)))
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
        assert_eq!([wait(5), wait(300), wait(100_000)], [EVERY, Span::secs(300), MAX_WAIT]);
        let header = |text| retry_after(Some(&HeaderValue::from_static(text)));
        assert_eq!([header("120"), header("-1"), header("Wed, 21 Oct 2026 07:28:00 GMT")], [Some(Span::secs(120)), None, None]);
    }
}
