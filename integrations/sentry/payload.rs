//! The fields we read, and only those.

use serde::Deserialize;

use crate::reading::{null_as_empty, scalar};

#[derive(Deserialize)]
pub(super) struct MetricAlert {
    pub(super) action: String,
    pub(super) data: MetricAlertData,
}

#[derive(Deserialize)]
pub(super) struct MetricAlertData {
    pub(super) metric_alert: Incident,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) description_text: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) web_url: String,
}

#[derive(Deserialize)]
pub(super) struct Incident {
    pub(super) alert_rule: AlertRule,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) projects: Vec<String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) title: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) date_detected: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) date_closed: String,
}

#[derive(Deserialize)]
pub(super) struct AlertRule {
    #[serde(deserialize_with = "scalar")]
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Issue {
    pub(super) action: String,
    pub(super) data: IssueData,
}

#[derive(Deserialize)]
pub(super) struct IssueData {
    pub(super) issue: IssueBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IssueBody {
    #[serde(deserialize_with = "scalar")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) short_id: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) title: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) level: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) first_seen: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) permalink: String,
    #[serde(default, deserialize_with = "null_as_empty", rename = "web_url")]
    pub(super) web_url: String,
    pub(super) project: Project,
}

#[derive(Deserialize)]
pub(super) struct Project {
    pub(super) slug: String,
}

#[derive(Deserialize)]
pub(super) struct EventAlert {
    pub(super) action: String,
    pub(super) data: EventAlertData,
}

#[derive(Deserialize)]
pub(super) struct EventAlertData {
    pub(super) event: Event,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) triggered_rule: String,
}

#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(deserialize_with = "scalar")]
    pub(super) issue_id: String,
    #[serde(default, deserialize_with = "scalar")]
    pub(super) project: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) title: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) level: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) datetime: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) web_url: String,
}
