//! Jenkins, through the Notification plugin.
//!
//! <https://plugins.jenkins.io/notification/>

use domain::{Severity, Signal, SignalState, Span, Timestamp};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "jenkins",
    name: "Jenkins",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/failure.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    // The plugin signs nothing.
    verify: plain_secret::verify,
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// The time beside the number: a job that is made anew counts from one again.
fn delivery_id(inbound: &Inbound<'_>, _: &Settings) -> Option<String> {
    let Job { url, build, .. } = inbound.json().ok()?;
    Some(format!("{url}:{}:{}:{}", build.number, build.phase, build.timestamp.unwrap_or_default()))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let job: Job = inbound.json()?;
    match &*job.build.phase {
        // Both come for one build and say the same.
        "COMPLETED" | "FINALIZED" => ended(inbound, &job).map(Vec::from_iter),
        "QUEUED" | "STARTED" | "NONE" => Ok(Vec::new()),
        other => Err(ParseError::unknown("build.phase", other, "COMPLETED, FINALIZED, QUEUED, STARTED, NONE")),
    }
}

fn ended(inbound: &Inbound<'_>, job: &Job) -> Result<Option<Signal>, ParseError> {
    let build = &job.build;
    let (state, severity) = match &*build.status {
        "SUCCESS" => (SignalState::Resolved, Severity::Unknown),
        "FAILURE" => (SignalState::Firing, Severity::Error),
        // It was built, and some of its tests fail.
        "UNSTABLE" => (SignalState::Firing, Severity::Warning),
        "ABORTED" | "NOT_BUILT" => return Ok(None),
        "" => return Err(ParseError::missing("build.status")),
        other => return Err(ParseError::unknown("build.status", other, "SUCCESS, FAILURE, UNSTABLE, ABORTED, NOT_BUILT")),
    };
    // Names are not unique, the path through the folders is.
    let path = job.url.trim_matches('/');
    let mut signal = Signal::new(limits::short_key("", path), state, job.display_name(), inbound.received_at);
    signal.severity = severity;
    signal.summary = format!("{} #{}: {}", job.display_name(), build.number, build.status);
    set::link(&mut signal, &build.full_url);
    let scm = build.scm.as_ref();
    let branch = scm.map(|scm| &*scm.branch).unwrap_or_default();
    set::labels(&mut signal, [("job", &*job.name), ("path", path), ("branch", branch), ("status", &build.status)]);
    if let Some(started) = build.timestamp {
        let ended = Timestamp(started).plus(Span(build.duration.max(0)));
        signal.occurred_at = limits::event_time("build.timestamp", ended, inbound.received_at, &mut signal.warnings);
    }
    Ok(Some(signal))
}

// The fields we read, and only those. Never the parameters, which may hold passwords.

#[derive(Deserialize)]
struct Job {
    name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    display_name: String,
    url: String,
    build: Build,
}

impl Job {
    fn display_name(&self) -> &str {
        if self.display_name.is_empty() { &self.name } else { &self.display_name }
    }
}

#[derive(Deserialize)]
struct Build {
    number: u64,
    phase: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    full_url: String,
    /// When it began, in unix milliseconds.
    timestamp: Option<i64>,
    /// In milliseconds; 0 until it is known.
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    duration: i64,
    scm: Option<Scm>,
}

#[derive(Deserialize)]
struct Scm {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    branch: String,
}
