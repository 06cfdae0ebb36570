//! New Relic: issues of a workflow, in its default webhook template.
//!
//! <https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/#webhook>

use domain::{Signal, SignalState};
use serde::Deserialize;
use serde_json::Value;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "new_relic",
    name: "New Relic",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/activated.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// The issue that every test notification shows, in an account that is nobody's.
const SAMPLE_ISSUE: &str = "/accounts/1/issues/0ea2df1c-adab-45d2-aae0-042b609d2322";

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let issue: Issue = inbound.json()?;
    if issue.url.contains(SAMPLE_ISSUE) {
        return Ok(Vec::new());
    }
    let state = match issue.state.as_str() {
        "CREATED" | "ACTIVATED" => SignalState::Firing,
        "CLOSED" => SignalState::Resolved,
        other => return Err(ParseError::unknown("state", other, "CREATED, ACTIVATED, CLOSED")),
    };
    let id = reading::required("id", &issue.id)?;
    let subject = if issue.title.is_empty() { format!("issue {id}") } else { issue.title.clone() };
    let mut signal = Signal::new(limits::short_key("issue:", id), state, subject, inbound.received_at);
    set::severity(&mut signal, "priority", &issue.priority);
    signal.summary = issue.title;
    let (path, time) = if issue.updated_at.is_empty() { ("createdAt", &issue.created_at) } else { ("updatedAt", &issue.updated_at) };
    set::time(&mut signal, path, time)?;
    set::labels(
        &mut signal,
        [
            ("policy", &names(&issue.policies)),
            ("condition", &names(&issue.conditions)),
            ("entity", &names(&issue.entities)),
            ("workflow", &issue.workflow),
            ("account", &issue.account),
        ],
    );
    set::link(&mut signal, &issue.url);
    Ok(vec![signal])
}

/// One name or several: templates differ.
fn names(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Issue {
    #[serde(alias = "issueId")]
    id: String,
    state: String,
    #[serde(default, rename = "issueUrl", deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    title: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    priority: String,
    #[serde(default, rename = "createdAt", deserialize_with = "reading::scalar")]
    created_at: String,
    #[serde(default, rename = "updatedAt", deserialize_with = "reading::scalar")]
    updated_at: String,
    #[serde(default, rename = "alertPolicyNames", alias = "policyName")]
    policies: Value,
    #[serde(default, rename = "alertConditionNames", alias = "conditionName")]
    conditions: Value,
    #[serde(default, rename = "impactedEntities")]
    entities: Value,
    #[serde(default, rename = "workflowName", deserialize_with = "reading::null_as_empty")]
    workflow: String,
    #[serde(default, rename = "accountId", deserialize_with = "reading::scalar")]
    account: String,
}
