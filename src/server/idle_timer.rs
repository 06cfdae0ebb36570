//! The timer for the headers of a connection's next request, at next to no cost per request.
//!
//! hyper asks for a new timer before each request and drops it once the headers are there. With tokio's own, each of them is put into the
//! runtime's wheel and taken out again, under its lock. Here one timer per connection stays in the wheel: deadlines only ever move on, so when
//! it fires too early it is set again, once in all the time that a connection may idle.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};

/// The timer of one connection; hyper has at most one deadline at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdleTimer {
    /// What is in the wheel, since the first deadline.
    armed: Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>,
}

impl Timer for IdleTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Idle { armed: self.armed.clone(), deadline })
    }
}

/// Ends at its deadline.
struct Idle {
    armed: Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>,
    deadline: Instant,
}

impl Sleep for Idle {}

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = self.deadline.into();
        let sleep = armed.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn each_deadline_is_kept_however_many_were_given_up_before() {
        let timer = IdleTimer::default();
        let begun = Instant::now();
        for n in 1..=5 {
            let mut given_up = timer.sleep_until(begun + n * STEP);
            assert!(futures::poll!(given_up.as_mut()).is_pending() || begun.elapsed() >= n * STEP, "deadline {n} lies ahead");
        }
        timer.sleep_until(begun + 7 * STEP).await;
        assert!(begun.elapsed() >= 7 * STEP);
        let mut passed = timer.sleep_until(begun + 7 * STEP);
        assert!(futures::poll!(passed.as_mut()).is_ready(), "what has passed is over at once");
    }

    #[tokio::test]
    async fn a_deadline_that_is_sooner_than_the_one_before_is_kept_too() {
        let timer = IdleTimer::default();
        let begun = Instant::now();
        let mut later = timer.sleep(Duration::from_secs(600));
        assert!(futures::poll!(later.as_mut()).is_pending());
        drop(later);
        tokio::time::timeout(Duration::from_secs(60), timer.sleep_until(begun + STEP)).await.expect("the sooner one counts");
        assert!(begun.elapsed() >= STEP);
    }
}
