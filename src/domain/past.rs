//! What readers saw of components lately: for as long as facts that come late may still correct it.

use std::collections::BTreeMap;

use crate::{ALERT_MEMORY, ComponentId, Status, Timestamp};

/// The most stretches of one component that are remembered, the newest.
pub const MAX_PAST_SPANS: usize = 1_000;

/// A stretch of time in which a component had one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastSpan {
    /// When it began.
    pub since: Timestamp,
    /// When it was over.
    pub until: Timestamp,
    /// What readers saw.
    pub status: Status,
}

/// When components were not operational, the running status apart. The stretches of one component do not overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past(BTreeMap<ComponentId, BTreeMap<Timestamp, (Timestamp, Status)>>);

impl Past {
    /// Adds a stretch, and forgets what is so old that nothing corrects it any more.
    pub fn add(&mut self, component: ComponentId, span: PastSpan) {
        if span.status == Status::Operational || span.since >= span.until {
            return;
        }
        let spans = self.0.entry(component).or_default();
        spans.insert(span.since, (span.until, span.status));
        while spans.first_key_value().is_some_and(|(_, (until, _))| span.until.since(*until) > ALERT_MEMORY) || spans.len() > MAX_PAST_SPANS
        {
            spans.pop_first();
        }
    }

    /// Puts a stretch in the place of whatever is there.
    pub fn replace(&mut self, component: ComponentId, span: PastSpan) {
        let overlapping: Vec<PastSpan> = self.within(component, span.since, span.until).collect();
        let spans = self.0.entry(component).or_default();
        for old in overlapping {
            spans.remove(&old.since);
            for (since, until) in [(old.since, span.since), (span.until, old.until)] {
                if since < until {
                    spans.insert(since, (until, old.status));
                }
            }
        }
        spans.insert(span.since, (span.until, span.status));
        while spans.len() > MAX_PAST_SPANS {
            spans.pop_first();
        }
    }

    /// What there is between two times, oldest first, whole even where it reaches beyond them.
    pub fn within(&self, component: ComponentId, from: Timestamp, until: Timestamp) -> impl Iterator<Item = PastSpan> {
        let spans = self.0.get(&component).into_iter().flatten();
        let span =
            |(since, (until, status)): (&Timestamp, &(Timestamp, Status))| PastSpan { since: *since, until: *until, status: *status };
        spans.map(span).filter(move |span| span.since < until && from < span.until)
    }

    /// All of one component, oldest first.
    pub fn of(&self, component: ComponentId) -> impl Iterator<Item = PastSpan> {
        self.within(component, Timestamp(i64::MIN), Timestamp(i64::MAX))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: ComponentId = ComponentId(1);

    fn span(since: i64, until: i64, status: Status) -> PastSpan {
        PastSpan { since: Timestamp(since), until: Timestamp(until), status }
    }

    #[test]
    fn what_is_put_in_cuts_what_was_there() {
        let mut past = Past::default();
        past.add(API, span(0, 10, Status::DegradedPerformance));
        past.add(API, span(20, 30, Status::Unknown));
        past.replace(API, span(5, 25, Status::MajorOutage));
        let all: Vec<_> = past.of(API).collect();
        assert_eq!(all, [span(0, 5, Status::DegradedPerformance), span(5, 25, Status::MajorOutage), span(25, 30, Status::Unknown)]);
        past.replace(API, span(10, 15, Status::PartialOutage));
        assert_eq!(past.of(API).count(), 5);
        assert_eq!(past.within(API, Timestamp(12), Timestamp(20)).count(), 2);
    }

    #[test]
    fn little_is_remembered_and_not_for_long() {
        let mut past = Past::default();
        for i in 0..1_100 {
            past.add(API, span(i * 2, i * 2 + 1, Status::MajorOutage));
        }
        assert_eq!(past.of(API).count(), MAX_PAST_SPANS);
        past.add(API, span(ALERT_MEMORY.0 + 2_000, ALERT_MEMORY.0 + 2_100, Status::MajorOutage));
        assert!(past.of(API).all(|span| span.until >= Timestamp(2_100)));
        past.add(API, span(9, 9, Status::MajorOutage));
        past.add(API, span(9, 10, Status::Operational));
        assert!(past.within(API, Timestamp(9), Timestamp(10)).next().is_none());
    }
}
