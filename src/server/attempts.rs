//! Failed attempts to get in, for the audit log: counted, and written down once a minute at most, so that strangers cannot make us write
//! without end.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::Timestamp;
use serde_json::{Map, Value, json};
use storage::{
    Db, SecretBox,
    audit::{self, By, Entry},
};
use tracing::error;

/// How long what follows the first attempt is only counted.
const EVERY: Duration = Duration::from_secs(60);
/// Whom to count one by one within that time; the rest is counted together.
const MAX_COUNTED: usize = 1_000;
/// Who is named in a row: those with the most attempts.
const MAX_NAMED: usize = 20;

/// Counts failed attempts. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    db: Db,
    secrets: SecretBox,
    clock: fn() -> Timestamp,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By kind and address.
    counts: BTreeMap<(&'static str, Option<IpAddr>), u64>,
    /// Of those who were too many to be counted one by one, by kind.
    others: BTreeMap<&'static str, u64>,
    is_writing: bool,
}

impl Attempts {
    pub(crate) fn new(db: Db, secrets: SecretBox, clock: fn() -> Timestamp) -> Self {
        Self { db, secrets, clock, waiting: Arc::default() }
    }

    /// Counts one attempt of this kind, such as `authentication.failed`. The first is written down at once.
    pub(crate) fn failed(&self, action: &'static str, address: Option<IpAddr>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (action, address);
        if waiting.counts.len() < MAX_COUNTED || waiting.counts.contains_key(&key) {
            *waiting.counts.entry(key).or_default() += 1;
        } else {
            *waiting.others.entry(action).or_default() += 1;
        }
        if !waiting.is_writing {
            waiting.is_writing = true;
            tokio::spawn(self.clone().write());
        }
    }

    async fn write(self) {
        loop {
            let (counts, others) = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if waiting.counts.is_empty() {
                    waiting.is_writing = false;
                    return;
                }
                (std::mem::take(&mut waiting.counts), std::mem::take(&mut waiting.others))
            };
            for (action, counts) in by_action(counts) {
                let (address, after) = describe(&counts, others.get(action).copied().unwrap_or_default());
                let by = By::nobody(address);
                let entry = Entry { by: &by, action, resource: None, before: Value::Null, after, at: (self.clock)() };
                if let Err(error) = audit::note(&self.db, &self.secrets, &entry).await {
                    error!(error = ?error, action, "Failed attempts could not be written into the audit log");
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

type Counts = Vec<(Option<IpAddr>, u64)>;

fn by_action(counts: BTreeMap<(&'static str, Option<IpAddr>), u64>) -> BTreeMap<&'static str, Counts> {
    let mut found: BTreeMap<&'static str, Counts> = BTreeMap::new();
    for ((action, address), n) in counts {
        found.entry(action).or_default().push((address, n));
    }
    found
}

/// The one address, if there is only one, and what a row says of many.
fn describe(counts: &[(Option<IpAddr>, u64)], others: u64) -> (Option<IpAddr>, Value) {
    let n: u64 = counts.iter().map(|(_, n)| n).sum::<u64>() + others;
    if let ([(address, _)], 0) = (counts, others) {
        return (*address, json!({ "n": n }));
    }
    let mut most: Vec<&(Option<IpAddr>, u64)> = counts.iter().collect();
    most.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let name = |address: &Option<IpAddr>| address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let named: Map<String, Value> = most.iter().take(MAX_NAMED).map(|(address, n)| (name(address), json!(n))).collect();
    (None, json!({ "n": n, "addresses": counts.len(), "from": named }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_those_with_the_most_attempts() {
        let address = |i: u8| Some(IpAddr::from([192, 0, 2, i]));
        assert_eq!(describe(&[(address(7), 3)], 0), (address(7), json!({ "n": 3 })));
        let counts: Vec<_> = (0..30).map(|i| (address(i), u64::from(i) + 1)).collect();
        let (one, row) = describe(&counts, 5);
        assert_eq!((one, row["n"].clone(), row["addresses"].clone()), (None, json!(470), json!(30)));
        let from = row["from"].as_object().unwrap();
        assert_eq!((from.len(), from.get("192.0.2.29"), from.get("192.0.2.9")), (20, Some(&json!(30)), None));
    }
}
