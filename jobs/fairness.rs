//! Who may be tried how much at once: an endpoint that does not answer holds a place for as long as we are patient, and must not hold
//! those of the others.

use std::collections::HashMap;

use domain::SubscriberId;
use storage::notifications::Due;

/// Notifications of one subscriber that are tried at once.
const PER_SUBSCRIBER: usize = 8;
/// The same, if the last try failed: one, to see whether that has changed.
const PER_FAILING_SUBSCRIBER: usize = 1;
/// Notifications of all failing subscribers that are tried at once: a part of all places, however many fail.
const ALL_FAILING: usize = 64;

/// The places that are taken.
#[derive(Debug, Default)]
pub(crate) struct Places {
    of: HashMap<SubscriberId, usize>,
    of_failing: usize,
}

/// What is done with a notification that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Admission {
    /// It is tried now.
    Now,
    /// Its subscriber has all the places it gets.
    NoPlace,
    /// Its subscriber fails, and the places for such are taken.
    Failing,
    /// Another one comes first.
    Behind,
}

impl Places {
    /// Counts what is being tried.
    pub(crate) fn take(&mut self, subscriber: SubscriberId, failing: bool, n: usize) {
        *self.of.entry(subscriber).or_default() += n;
        if failing {
            self.of_failing += n;
        }
    }

    /// Gives a place to a notification, if there is one for it.
    pub(crate) fn admit(&mut self, due: &Due) -> Admission {
        let taken = self.of.get(&due.subscriber).copied().unwrap_or_default();
        if due.behind {
            return Admission::Behind;
        }
        if due.failing && (taken >= PER_FAILING_SUBSCRIBER || self.of_failing >= ALL_FAILING) {
            return Admission::Failing;
        }
        if taken >= PER_SUBSCRIBER {
            return Admission::NoPlace;
        }
        self.take(due.subscriber, due.failing, 1);
        Admission::Now
    }
}

#[cfg(test)]
mod tests {
    use domain::NotificationId;

    use super::*;

    fn due(subscriber: i64, failing: bool) -> Due {
        Due { id: NotificationId(1), attempt: 1, subscriber: SubscriberId(subscriber), failing, behind: false }
    }

    #[test]
    fn nobody_takes_the_places_of_others() {
        let mut places = Places::default();
        places.take(SubscriberId(1), false, PER_SUBSCRIBER - 1);
        assert_eq!(places.admit(&due(1, false)), Admission::Now);
        assert_eq!(places.admit(&due(1, false)), Admission::NoPlace);
        assert_eq!(places.admit(&due(2, false)), Admission::Now);
    }

    #[test]
    fn who_fails_gets_one_and_all_who_fail_a_part() {
        let mut places = Places::default();
        for subscriber in 0..ALL_FAILING as i64 {
            assert_eq!(places.admit(&due(subscriber, true)), Admission::Now);
            assert_eq!(places.admit(&due(subscriber, true)), Admission::Failing);
        }
        assert_eq!(places.admit(&due(1000, true)), Admission::Failing, "however many fail");
        assert_eq!(places.admit(&due(1001, false)), Admission::Now);
    }

    #[test]
    fn what_comes_after_another_waits_for_it() {
        assert_eq!(Places::default().admit(&Due { behind: true, ..due(1, false) }), Admission::Behind);
    }
}
