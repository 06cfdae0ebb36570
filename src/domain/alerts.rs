//! Alerts: the newest that was said about each thing, remembered for as long as it may matter and no longer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{DeliveryId, IntegrationId, Severity, Span, Timestamp};

/// How long a thing that no route holds is remembered after it was last heard of: for so long, news that come late are known to be late.
pub const ALERT_MEMORY: Span = Span(7 * 86_400_000);
/// The most things of one integration that routes hold at once. What comes on top is refused with a reason until there is room.
pub const MAX_HELD_ALERTS: usize = 10_000;
/// The most things of one integration that are remembered although no route holds them. The longest unheard goes first.
pub const MAX_IDLE_ALERTS: usize = 10_000;

/// Names one thing that one integration speaks of.
pub type AlertKey = (IntegrationId, String);

/// The newest that was said about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Whether it fires.
    pub firing: bool,
    /// How loud.
    pub severity: Severity,
    /// The sender's group.
    pub group: Option<String>,
    /// Event time of the newest signal.
    pub occurred_at: Timestamp,
    /// When it began to fire, or ceased to.
    pub since: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// The delivery that said so.
    pub delivery: Option<DeliveryId>,
}

impl Alert {
    /// When it was last heard of or given up.
    fn last_news(&self) -> Timestamp {
        self.seen_at.max(self.since)
    }
}

/// The newest about each thing.
///
/// A thing is held while it is a cause on some route, and idle otherwise. Idle ones are forgotten by age and by number, in the same order
/// whether the state was kept in memory or read back.
#[derive(Debug, Default)]
pub struct Alerts {
    known: HashMap<AlertKey, Known>,
    shelves: BTreeMap<IntegrationId, Shelf>,
    /// Nothing is due to be forgotten before this.
    next_due: Option<Timestamp>,
}

#[derive(Debug)]
struct Known {
    alert: Alert,
    n_causes: usize,
    /// Where it stands on the shelf while it is idle: at most [`Alert::last_news`], so that hearing of it again moves nothing.
    shelved: Option<Timestamp>,
}

/// The things of one integration.
#[derive(Debug, Default)]
struct Shelf {
    n_held: usize,
    idle: BTreeSet<(Timestamp, String)>,
}

impl PartialEq for Alerts {
    fn eq(&self, other: &Self) -> bool {
        let same = |(key, known): (&AlertKey, &Known)| {
            other.known.get(key).is_some_and(|other| (&other.alert, other.n_causes) == (&known.alert, known.n_causes))
        };
        self.known.len() == other.known.len() && self.known.iter().all(same)
    }
}

impl Alerts {
    /// The newest about a thing.
    #[must_use]
    pub fn get(&self, key: &AlertKey) -> Option<&Alert> {
        self.known.get(key).map(|known| &known.alert)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&AlertKey, &Alert)> {
        self.known.iter().map(|(key, known)| (key, &known.alert))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether one more thing may be held for an integration, or this one is held already.
    pub(crate) fn has_room(&self, key: &AlertKey) -> bool {
        self.shelves.get(&key.0).is_none_or(|shelf| shelf.n_held < MAX_HELD_ALERTS)
            || self.known.get(key).is_some_and(|known| known.n_causes > 0)
    }

    /// Replaces what is known of a thing; tells whether nothing was.
    pub(crate) fn insert(&mut self, key: &AlertKey, alert: Alert) -> bool {
        if let Some(known) = self.known.get_mut(key) {
            known.alert = alert;
            return false;
        }
        self.known.insert(key.clone(), Known { alert, n_causes: 0, shelved: None });
        self.shelve(key);
        true
    }

    pub(crate) fn remove(&mut self, key: &AlertKey) {
        self.unshelve(key);
        if self.known.remove(key).is_some_and(|known| known.n_causes > 0) {
            self.shelves.entry(key.0).or_default().n_held -= 1;
        }
    }

    /// A route takes a thing up.
    pub(crate) fn hold(&mut self, key: &AlertKey) {
        let Some(known) = self.known.get_mut(key) else { return };
        known.n_causes += 1;
        if known.n_causes == 1 {
            self.unshelve(key);
            self.shelves.entry(key.0).or_default().n_held += 1;
        }
    }

    /// A route lets go of a thing.
    pub(crate) fn release(&mut self, key: &AlertKey) {
        let Some(known) = self.known.get_mut(key).filter(|known| known.n_causes > 0) else { return };
        known.n_causes -= 1;
        if known.n_causes == 0 {
            self.shelves.entry(key.0).or_default().n_held -= 1;
            self.shelve(key);
        }
    }

    /// The things that are to be forgotten by `now`, and since when.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<(Timestamp, AlertKey)> {
        if self.next_due.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut next: Option<Timestamp> = None;
        for (integration, shelf) in &mut self.shelves {
            let mut passed = Vec::new();
            while let Some(entry) = shelf.idle.pop_first() {
                let (news, fingerprint) = entry;
                let key = (*integration, fingerprint);
                let Some(known) = self.known.get_mut(&key) else { continue };
                let at = known.alert.last_news().plus(ALERT_MEMORY);
                if known.alert.last_news() > news {
                    known.shelved = Some(known.alert.last_news());
                    shelf.idle.insert((known.alert.last_news(), key.1));
                } else if at <= now {
                    passed.push((news, key.1.clone()));
                    found.push((at, key));
                } else {
                    shelf.idle.insert((news, key.1));
                    next = Some(next.map_or(at, |next| next.min(at)));
                    break;
                }
            }
            shelf.idle.extend(passed);
        }
        self.next_due = next;
        found
    }

    /// The thing to forget because its integration has more idle ones than are remembered.
    pub(crate) fn surplus(&mut self, integration: IntegrationId) -> Option<AlertKey> {
        let shelf = self.shelves.get_mut(&integration).filter(|shelf| shelf.idle.len() > MAX_IDLE_ALERTS)?;
        loop {
            let (news, fingerprint) = shelf.idle.pop_first()?;
            let key = (integration, fingerprint);
            let known = self.known.get_mut(&key)?;
            let is_oldest = known.alert.last_news() == news;
            known.shelved = Some(known.alert.last_news());
            shelf.idle.insert((known.alert.last_news(), key.1.clone()));
            if is_oldest {
                return Some(key);
            }
        }
    }

    fn shelve(&mut self, key: &AlertKey) {
        let Some(known) = self.known.get_mut(key) else { return };
        let news = known.alert.last_news();
        known.shelved = Some(news);
        self.shelves.entry(key.0).or_default().idle.insert((news, key.1.clone()));
        let due = news.plus(ALERT_MEMORY);
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    fn unshelve(&mut self, key: &AlertKey) {
        let Some(news) = self.known.get_mut(key).and_then(|known| known.shelved.take()) else { return };
        if let Some(shelf) = self.shelves.get_mut(&key.0) {
            shelf.idle.remove(&(news, key.1.clone()));
        }
    }
}
