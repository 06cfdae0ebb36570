//! When a failed try is followed by another. Pure: the caller brings clock and chance.

use domain::{Outcome, Span, Timestamp};

/// The pauses before the second try, the third, and so on: eight tries in 27 h 35 min.
pub const SCHEDULE: [Span; 7] =
    [Span::secs(5), Span::mins(5), Span::mins(30), Span::mins(120), Span::mins(300), Span::mins(600), Span::mins(600)];

/// How many tries a notification gets.
pub const MAX_ATTEMPTS: u16 = SCHEDULE.len() as u16 + 1;

/// Pauses vary by this much both ways, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// What follows a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Delivered.
    Done,
    /// Try again then.
    RetryAt(Timestamp),
    /// Never try this notification again.
    Dead,
    /// Never try this subscriber again.
    DisableSubscriber,
}

/// Decides what follows try number `attempt` (from 1) that ended as `outcome` at `now`. `jitter` is a random number in 0..1.
#[must_use]
pub fn next(attempt: u16, outcome: &Outcome, now: Timestamp, jitter: f64) -> Next {
    let retry_after_secs = match outcome {
        Outcome::Delivered { .. } => return Next::Done,
        Outcome::Permanent { .. } => return Next::Dead,
        Outcome::Gone { .. } => return Next::DisableSubscriber,
        Outcome::Transient { retry_after_secs, .. } => *retry_after_secs,
    };
    let Some(pause) = SCHEDULE.get(usize::from(attempt.saturating_sub(1))) else { return Next::Dead };
    let factor = 1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "pauses are far below 2^52 ms")]
    let varied = Span((pause.0 as f64 * factor) as i64);
    // Whoever asks for patience gets at least that much.
    let asked = Span::secs(retry_after_secs.unwrap_or(0).into());
    Next::RetryAt(now.plus(varied.max(asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn transient(retry_after_secs: Option<u32>) -> Outcome {
        Outcome::Transient { why: "503".to_owned(), retry_after_secs }
    }

    #[test]
    fn every_try_waits_its_pause_give_or_take_a_fifth() {
        for (attempt, pause) in (1..).zip(SCHEDULE) {
            let at = |jitter| next(attempt, &transient(None), NOW, jitter);
            assert_eq!(at(0.0), Next::RetryAt(Timestamp(NOW.0 + pause.0 * 4 / 5)), "attempt {attempt}");
            assert_eq!(at(0.5), Next::RetryAt(Timestamp(NOW.0 + pause.0)), "attempt {attempt}");
            assert_eq!(at(1.0), Next::RetryAt(Timestamp(NOW.0 + pause.0 * 6 / 5)), "attempt {attempt}");
        }
        assert_eq!(SCHEDULE.iter().map(|pause| pause.0).sum::<i64>(), Span::mins(27 * 60 + 35).0 + 5_000);
    }

    #[test]
    fn the_eighth_failure_is_the_last() {
        assert_eq!(MAX_ATTEMPTS, 8);
        assert_eq!(next(MAX_ATTEMPTS, &transient(None), NOW, 0.5), Next::Dead);
        assert_eq!(next(MAX_ATTEMPTS, &transient(Some(60)), NOW, 0.5), Next::Dead);
        assert_eq!(next(u16::MAX, &transient(None), NOW, 0.5), Next::Dead);
    }

    #[test]
    fn retry_after_is_a_lower_bound() {
        assert_eq!(next(1, &transient(Some(60)), NOW, 0.5), Next::RetryAt(Timestamp(NOW.0 + 60_000)));
        assert_eq!(next(2, &transient(Some(60)), NOW, 0.5), Next::RetryAt(Timestamp(NOW.0 + 300_000)));
    }

    #[test]
    fn what_is_settled_is_not_tried_again() {
        let text = || "x".to_owned();
        for attempt in 1..=MAX_ATTEMPTS {
            assert_eq!(next(attempt, &Outcome::Delivered { detail: text() }, NOW, 0.5), Next::Done);
            assert_eq!(next(attempt, &Outcome::Permanent { why: text() }, NOW, 0.5), Next::Dead);
            assert_eq!(next(attempt, &Outcome::Gone { why: text() }, NOW, 0.5), Next::DisableSubscriber);
        }
    }
}
