//! Uptime Kuma: a monitor goes down and comes up again.
//!
//! <https://github.com/louislam/uptime-kuma/wiki/Notification-Methods>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, multipart, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "uptime_kuma",
    name: "Uptime Kuma",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/down.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", multipart::MEDIA_TYPE],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    // Its older preset puts the same document into a form.
    let in_form = inbound.media_type().as_deref() == Some(multipart::MEDIA_TYPE);
    let message: Message = reading::object(if in_form { multipart::read(inbound, "data")? } else { inbound.document()? })?;
    // Tests, and notices about certificates and domains that will expire, bring neither.
    let (Some(heartbeat), Some(monitor)) = (message.heartbeat, message.monitor) else { return Ok(Vec::new()) };
    let (state, severity) = match heartbeat.status {
        0 => (SignalState::Firing, Severity::Critical),
        1 => (SignalState::Resolved, Severity::Critical),
        2 => return Ok(Vec::new()), // Pending: failed once, and is tried again before anything is said.
        3 => (SignalState::Firing, Severity::Info),
        other => return Err(ParseError::unknown("heartbeat.status", &other.to_string(), "0, 1, 2, 3")),
    };
    let id = reading::required("monitor.id", &monitor.id)?;
    let mut signal = Signal::new(format!("monitor:{id}"), state, monitor.name.clone(), inbound.received_at);
    signal.severity = severity;
    signal.summary = heartbeat.msg;
    signal.value = heartbeat.ping;
    // In UTC, although it does not say so.
    set::time(&mut signal, "heartbeat.time", &heartbeat.time)?;
    let maintenance = if heartbeat.status == 3 { "true" } else { "" };
    set::labels(
        &mut signal,
        [
            ("monitor", &monitor.name),
            ("path", &monitor.path_name),
            ("type", &monitor.kind),
            ("target", &monitor.url),
            ("maintenance", maintenance),
        ],
    );
    monitor.tags.iter().for_each(|tag| set::tag(&mut signal, &tag.name, &tag.value));
    Ok(vec![signal])
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    #[serde(deserialize_with = "reading::present")]
    heartbeat: Option<Heartbeat>,
    #[serde(deserialize_with = "reading::present")]
    monitor: Option<Monitor>,
}

#[derive(Deserialize)]
struct Heartbeat {
    status: i64,
    time: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    msg: String,
    ping: Option<f64>,
}

#[derive(Deserialize)]
struct Monitor {
    #[serde(deserialize_with = "reading::scalar")]
    id: String,
    name: String,
    #[serde(default, rename = "pathName", deserialize_with = "reading::null_as_empty")]
    path_name: String,
    #[serde(default, rename = "type", deserialize_with = "reading::null_as_empty")]
    kind: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    value: String,
}
