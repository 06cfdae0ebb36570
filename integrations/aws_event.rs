//! What AWS tells of its users' alarms and of its own health, whichever way it comes: CloudWatch's message to a topic, or EventBridge.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>
//! <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>

use domain::{Severity, Signal, SignalState, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    ParseError,
    aws_alarm::{AlarmChange, AlarmMessage},
    limits, reading, set,
};

/// What `document` says; `None` if it is nothing we know. `prefix` is where it stands in the body.
pub(crate) fn read(prefix: &str, document: &Value, at: Timestamp) -> Result<Option<Vec<Signal>>, ParseError> {
    let place = Place { prefix, at };
    let has = |name: &str| document.get(name).is_some();
    if has("AlarmName") && has("NewStateValue") {
        let message: AlarmMessage = reading::nested(prefix, document.clone())?;
        return message.into_alarm().signal(&place, "NewStateValue", "StateChangeTime").map(|signal| Some(vec![signal]));
    }
    let kind = (document.get("source").and_then(Value::as_str), document.get("detail-type").and_then(Value::as_str));
    match kind {
        (Some("aws.cloudwatch"), Some("CloudWatch Alarm State Change")) => {
            let event: Event<AlarmChange> = reading::nested(prefix, document.clone())?;
            event.into_alarm().signal(&place, "detail.state.value", "detail.state.timestamp").map(|signal| Some(vec![signal]))
        }
        (Some("aws.health"), Some("AWS Health Event")) => {
            let event: Event<Health> = reading::nested(prefix, document.clone())?;
            place.health(&event).map(|signal| Some(signal.into_iter().collect()))
        }
        (Some("aws.cloudwatch"), Some("CloudWatch Alarm Configuration Change")) | (Some("aws.health"), Some("AWS Health Abuse Event")) => {
            Ok(Some(Vec::new()))
        }
        _ => Ok(None),
    }
}

/// Why `document` is not understood, where nothing else says what it means.
pub(crate) fn not_known(prefix: &str, document: &Value) -> ParseError {
    const MAPPING: &str = "`mapping` in the settings could say what it means";
    let path = Place { prefix, at: Timestamp(0) }.path("detail-type");
    match document.get("detail-type").and_then(Value::as_str) {
        Some(kind) => ParseError::unknown(path, kind, format!("CloudWatch Alarm State Change, AWS Health Event; {MAPPING}")),
        None if prefix.is_empty() => ParseError::missing(path),
        None => ParseError::field(prefix, format!("is no CloudWatch alarm and no AWS Health event; {MAPPING}")),
    }
}

/// Where the document stands in the body, and when it came.
pub(crate) struct Place<'a> {
    prefix: &'a str,
    pub(crate) at: Timestamp,
}

impl Place<'_> {
    pub(crate) fn path(&self, field: &str) -> String {
        if self.prefix.is_empty() { field.to_owned() } else { format!("{}.{field}", self.prefix) }
    }

    /// Notices and planned changes say nothing about health now.
    fn health(&self, event: &Event<Health>) -> Result<Option<Signal>, ParseError> {
        let Event { detail: health, .. } = event;
        let severity = match &*health.category {
            "issue" => Severity::Error,
            "investigation" => Severity::Warning,
            "accountNotification" | "scheduledChange" => return Ok(None),
            other => {
                let known = "issue, investigation, accountNotification, scheduledChange";
                return Err(ParseError::unknown(self.path("detail.eventTypeCategory"), other, known));
            }
        };
        let state = match &*health.status {
            "open" => SignalState::Firing,
            "closed" => SignalState::Resolved,
            "upcoming" => return Ok(None),
            other => return Err(ParseError::unknown(self.path("detail.statusCode"), other, "open, closed, upcoming")),
        };
        let region = if health.region.is_empty() { &event.region } else { &health.region };
        let mut signal = Signal::new(limits::short_key("health:", &health.arn), state, health.service.clone(), self.at);
        signal.severity = severity;
        signal.summary = health.description();
        let labels = [
            ("service", &*health.service),
            ("region", region),
            ("code", &*health.code),
            ("category", &*health.category),
            ("scope", &*health.scope),
            ("account", &*event.account),
        ];
        set::labels(&mut signal, labels);
        set::time(&mut signal, &self.path("time"), &event.time)?;
        Ok(Some(signal))
    }
}

/// What EventBridge puts around everything.
#[derive(Deserialize)]
pub(crate) struct Event<T> {
    #[serde(default, deserialize_with = "reading::scalar")]
    pub(crate) account: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    pub(crate) region: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    pub(crate) resources: Vec<String>,
    time: String,
    pub(crate) detail: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    #[serde(rename = "eventArn", deserialize_with = "reading::id")]
    arn: String,
    #[serde(deserialize_with = "reading::id")]
    service: String,
    #[serde(default, rename = "eventTypeCode", deserialize_with = "reading::null_as_empty")]
    code: String,
    #[serde(rename = "eventTypeCategory")]
    category: String,
    #[serde(default, rename = "eventScopeCode", deserialize_with = "reading::null_as_empty")]
    scope: String,
    #[serde(rename = "statusCode")]
    status: String,
    #[serde(default, rename = "eventRegion", deserialize_with = "reading::null_as_empty")]
    region: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    event_description: Vec<Description>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    language: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    latest_description: String,
}

impl Health {
    fn description(&self) -> String {
        let english = self.event_description.iter().find(|description| description.language.starts_with("en"));
        english.or(self.event_description.first()).map(|description| description.latest_description.clone()).unwrap_or_default()
    }
}
