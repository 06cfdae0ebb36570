//! An alarm of CloudWatch, as a topic gets it and as EventBridge has it.

use std::collections::BTreeMap;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{
    ParseError,
    aws_event::{Event, Place},
    form, limits, reading, set,
};

impl Alarm {
    /// The paths are where the alarm has its state and the time of it.
    pub(crate) fn signal(&self, place: &Place<'_>, state_path: &str, time_path: &str) -> Result<Signal, ParseError> {
        let (state, severity) = match &*self.state {
            // CloudWatch knows only that the threshold is crossed, not how bad that is.
            "ALARM" => (SignalState::Firing, Severity::Error),
            "OK" => (SignalState::Resolved, Severity::Error),
            "INSUFFICIENT_DATA" => (SignalState::Firing, Severity::Unknown),
            other => return Err(ParseError::unknown(place.path(state_path), other, "ALARM, OK, INSUFFICIENT_DATA")),
        };
        // The ARN is the same whichever way an alarm comes; old messages have none.
        let identity = if self.arn.is_empty() { format!("{}:{}:{}", self.account, self.region, self.name) } else { self.arn.clone() };
        let mut signal = Signal::new(limits::short_key("alarm:", &identity), state, self.name.clone(), place.at);
        signal.severity = severity;
        signal.summary.clone_from(&self.reason);
        if !self.description.is_empty() {
            signal.annotations.insert("description".to_owned(), self.description.clone());
        }
        let parts: Vec<&str> = self.arn.split(':').collect();
        let region = parts.get(3).copied().unwrap_or(&self.region);
        set::labels(&mut signal, [("alarm", &*self.name), ("account", &*self.account), ("region", region), ("state", &*self.state)]);
        if let [metric] = self.metrics.as_slice() {
            metric_labels(&mut signal, metric);
        }
        if parts.get(1) == Some(&"aws") {
            let console = format!("https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}");
            set::link(&mut signal, &format!("{console}#alarmsV2:alarm/{}", form::escape(&self.name)));
        }
        set::time(&mut signal, &place.path(time_path), &self.changed_at)?;
        Ok(signal)
    }
}

fn metric_labels(signal: &mut Signal, metric: &Metric) {
    set::labels(signal, [("namespace", &metric.namespace), ("metric", &metric.name)]);
    for (name, value) in &metric.dimensions {
        signal.labels.insert(format!("dimension_{name}"), value.clone());
    }
}

/// One alarm, whichever way it came.
pub(crate) struct Alarm {
    arn: String,
    account: String,
    region: String,
    name: String,
    description: String,
    state: String,
    reason: String,
    changed_at: String,
    /// Those that are measured, not calculated.
    metrics: Vec<Metric>,
}

struct Metric {
    namespace: String,
    name: String,
    dimensions: BTreeMap<String, String>,
}

// The fields we read, and only those. A composite alarm has no trigger, and one that calculates has several metrics.

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AlarmMessage {
    alarm_name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    alarm_description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    alarm_arn: String,
    #[serde(default, rename = "AWSAccountId", deserialize_with = "reading::scalar")]
    account: String,
    /// For people: `EU (Ireland)`.
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    region: String,
    new_state_value: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    new_state_reason: String,
    state_change_time: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    trigger: Trigger,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trigger {
    #[serde(flatten)]
    metric: Option<MessageMetric>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    metrics: Vec<TriggerMetric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TriggerMetric {
    metric_stat: Option<MetricStat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: MessageMetric,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MessageMetric {
    metric_name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    namespace: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
struct Dimension {
    name: String,
    value: String,
}

impl AlarmMessage {
    pub(crate) fn into_alarm(self) -> Alarm {
        let several = self.trigger.metrics.into_iter().filter_map(|metric| metric.metric_stat).map(|stat| stat.metric);
        let metric = |metric: MessageMetric| Metric {
            namespace: metric.namespace,
            name: metric.metric_name,
            dimensions: metric.dimensions.into_iter().map(|dimension| (dimension.name, dimension.value)).collect(),
        };
        Alarm {
            arn: self.alarm_arn,
            account: self.account,
            region: self.region,
            name: self.alarm_name,
            description: self.alarm_description,
            state: self.new_state_value,
            reason: self.new_state_reason,
            changed_at: self.state_change_time,
            metrics: self.trigger.metric.into_iter().chain(several).map(metric).collect(),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct AlarmChange {
    #[serde(rename = "alarmName")]
    alarm_name: String,
    state: AlarmState,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    configuration: Configuration,
}

#[derive(Deserialize)]
struct AlarmState {
    value: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    reason: String,
    timestamp: String,
}

#[derive(Default, Deserialize)]
struct Configuration {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    metrics: Vec<ConfiguredMetric>,
}

#[derive(Deserialize)]
struct ConfiguredMetric {
    #[serde(rename = "metricStat")]
    stat: Option<ConfiguredStat>,
}

#[derive(Deserialize)]
struct ConfiguredStat {
    metric: EventMetric,
}

#[derive(Deserialize)]
struct EventMetric {
    name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    namespace: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    dimensions: BTreeMap<String, String>,
}

impl Event<AlarmChange> {
    pub(crate) fn into_alarm(self) -> Alarm {
        let AlarmChange { alarm_name, state, configuration } = self.detail;
        let metric = |metric: EventMetric| Metric { namespace: metric.namespace, name: metric.name, dimensions: metric.dimensions };
        Alarm {
            arn: self.resources.into_iter().next().unwrap_or_default(),
            account: self.account,
            region: self.region,
            name: alarm_name,
            description: configuration.description,
            state: state.value,
            reason: state.reason,
            changed_at: state.timestamp,
            metrics: configuration.metrics.into_iter().filter_map(|metric| metric.stat).map(|stat| metric(stat.metric)).collect(),
        }
    }
}
