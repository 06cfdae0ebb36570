//! Until when the next ping has to come.

use domain::{Span, Timestamp};

use super::Ping;

/// When pings are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How often.
    pub period: Span,
    /// How much later.
    pub grace: Span,
    /// How long a run may take that has said that it begins.
    pub max_runtime: Span,
}

/// What is overdue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The next ping.
    Missed,
    /// The end of a run that has begun.
    Unfinished,
}

impl Overdue {
    /// The name in labels and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Unfinished => "unfinished",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Missed, Self::Unfinished].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Until when a ping has to come, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Until when.
    pub at: Timestamp,
    /// What is overdue then.
    pub kind: Overdue,
}

impl Times {
    /// The deadline after a ping. After a failure there is none: it is told already, and only a success ends it.
    #[must_use]
    pub fn after(&self, ping: Ping, at: Timestamp) -> Option<Deadline> {
        let kind = match ping {
            Ping::Success | Ping::Exit(0) => Overdue::Missed,
            Ping::Start => Overdue::Unfinished,
            Ping::Fail | Ping::Exit(_) => return None,
        };
        Some(self.of(kind, at))
    }

    /// The deadline of one kind, counting from a ping.
    #[must_use]
    pub fn of(&self, kind: Overdue, at: Timestamp) -> Deadline {
        Deadline { at: at.plus(self.patience(kind)), kind }
    }

    const fn patience(&self, kind: Overdue) -> Span {
        match kind {
            Overdue::Missed => Span(self.period.0.saturating_add(self.grace.0)),
            Overdue::Unfinished => self.max_runtime,
        }
    }

    /// The deadline once nobody could ping from `down` until `ready`.
    ///
    /// If the ping may have been lost then, the time counts from `ready`: nobody is to be told of a job that only Fanal has missed. A job is
    /// taken to ping up to one `grace` earlier or later than its period says; a run may end at any time.
    #[must_use]
    pub fn put_off(&self, deadline: Deadline, down: Timestamp, ready: Timestamp) -> Deadline {
        let expected_from = match deadline.kind {
            Overdue::Missed => Timestamp(deadline.at.0.saturating_sub(self.grace.0.saturating_mul(2))),
            Overdue::Unfinished => Timestamp(0),
        };
        if deadline.at <= down || ready < expected_from {
            return deadline;
        }
        Deadline { at: deadline.at.max(ready.plus(self.patience(deadline.kind))), ..deadline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { period: Span::mins(60), grace: Span::mins(5), max_runtime: Span::mins(10) };

    const fn minute(n: i64) -> Timestamp {
        Timestamp(n * 60_000)
    }

    #[test]
    fn each_ping_has_its_deadline() {
        let after = |ping| TIMES.after(ping, minute(0)).map(|deadline| (deadline.at, deadline.kind));
        assert_eq!(after(Ping::Success), Some((minute(65), Overdue::Missed)));
        assert_eq!(after(Ping::Exit(0)), Some((minute(65), Overdue::Missed)));
        assert_eq!(after(Ping::Start), Some((minute(10), Overdue::Unfinished)));
        assert_eq!([after(Ping::Fail), after(Ping::Exit(1))], [None, None]);
    }

    #[test]
    fn an_outage_of_our_own_is_nobodys_fault() {
        let next = TIMES.after(Ping::Success, minute(0)).unwrap();
        let put_off = |down, ready| TIMES.put_off(next, minute(down), minute(ready)).at;
        assert_eq!(put_off(10, 20), minute(65), "nothing was expected");
        assert_eq!(put_off(50, 58), minute(123), "it may have come early");
        assert_eq!(put_off(59, 62), minute(127), "it was expected");
        assert_eq!(put_off(64, 300), minute(365), "across the deadline");
        assert_eq!(put_off(65, 300), minute(65), "it had passed before");
        let end = TIMES.after(Ping::Start, minute(0)).unwrap();
        assert_eq!(TIMES.put_off(end, minute(1), minute(2)).at, minute(12));
    }
}
