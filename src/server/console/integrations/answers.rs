//! What a source that is asked has answered.

use domain::Timestamp;
use integrations::{Provider, poll::Ask};
use serde_json::Value;

use crate::console::{
    seen::{Seen, at},
    words::ago,
};

/// When a source last answered, and how often it was asked in vain since; nothing before it is asked for the first time, and of what is no
/// source: of a check, that nothing comes back is an answer too.
pub(super) fn last_answer(provider: Option<&Provider>, poll: &Value, now: Timestamp) -> Option<String> {
    provider.filter(|provider| matches!(provider.poll, Some(Ask::Source(_))))?;
    let answered = at(poll, "answered_at").map(|at| format!("last answer {}", ago(at, now)));
    let in_vain = match poll.number("failures") {
        0 => return answered,
        1 => "asked in vain once".to_owned(),
        n => format!("asked in vain {n} times"),
    };
    Some(answered.map_or_else(|| format!("no answer yet, {in_vain}"), |answered| format!("{answered}, {in_vain}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_asked_in_vain_is_said_with_the_age_of_the_last_answer() {
        let now = Timestamp::parse("2026-03-01T12:12:00Z").unwrap();
        let of = |provider: &str, poll: Value| last_answer(integrations::find(provider), &poll, now);
        let said = |poll: Value| of("statuspage", poll);
        assert_eq!(said(Value::Null), None);
        assert_eq!(said(json!({ "answered_at": null, "failures": 0 })), None);
        let answered = |failures: i64| said(json!({ "answered_at": "2026-03-01T12:00:00Z", "failures": failures }));
        assert_eq!(answered(0).as_deref(), Some("last answer 12 min ago"));
        assert_eq!(answered(1).as_deref(), Some("last answer 12 min ago, asked in vain once"));
        assert_eq!(answered(2).as_deref(), Some("last answer 12 min ago, asked in vain 2 times"));
        assert_eq!(said(json!({ "answered_at": null, "failures": 2 })).as_deref(), Some("no answer yet, asked in vain 2 times"));
        assert_eq!(of("http", json!({ "answered_at": "2026-03-01T12:00:00Z", "failures": 0 })), None);
    }
}
