//! When a worker looks for tasks: when something was pushed, and now and then.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::{Instant, Sleep, sleep},
};

/// The first look after a wake-up.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// Wakes the worker of this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Wake(Arc<Notify>);

impl Wake {
    /// Says that there is something to do. Not lost if nobody waits right now.
    pub(super) fn wake(&self) {
        self.0.notify_one();
    }

    /// Looks at every wake-up, and every `idle` without one.
    pub(super) fn looks(&self, idle: Duration) -> Looks {
        Looks {
            notify: Arc::clone(&self.0),
            woken: Box::pin(Arc::clone(&self.0).notified_owned()),
            timer: Box::pin(sleep(idle)),
            pause: idle,
            idle,
        }
    }
}

/// The strategy of one worker.
///
/// The stock interval strategy arms its next timer without polling it, so that a fetch that answers at once leaves nobody to wake the
/// worker. Here whatever has fired is armed again and polled until it waits. And a wake-up can fall into a fetch that is already under
/// way and comes back without the new task; so each is followed by looks at growing pauses.
pub(super) struct Looks {
    notify: Arc<Notify>,
    woken: Pin<Box<OwnedNotified>>,
    timer: Pin<Box<Sleep>>,
    pause: Duration,
    idle: Duration,
}

impl Looks {
    fn look_again_after(&mut self, pause: Duration) {
        self.pause = pause.min(self.idle);
        self.timer.as_mut().reset(Instant::now() + self.pause);
    }
}

impl PollStrategy for Looks {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut due = false;
        while self.woken.as_mut().poll(cx).is_ready() {
            self.woken.set(Arc::clone(&self.notify).notified_owned());
            self.look_again_after(FIRST_PAUSE);
            due = true;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            self.look_again_after(self.pause * 2);
            due = true;
        }
        if due { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(looks: &mut Looks) -> Duration {
        let before = Instant::now();
        poll_fn(|cx| looks.poll_drive(cx, &PollSnapshot::new())).await;
        before.elapsed()
    }

    #[tokio::test]
    async fn a_wake_up_is_followed_by_looks_at_growing_pauses() {
        let wake = Wake::default();
        let mut looks = wake.looks(Duration::from_millis(20));
        assert!(next(&mut looks).await.as_millis() >= 20);
        wake.wake();
        for at_least in [0, 2, 4, 8, 16, 20, 20] {
            assert!(next(&mut looks).await.as_millis() >= at_least, "{at_least}");
        }
        assert_eq!(looks.pause.as_millis(), 20);
    }
}
