//! Jenkins: how the newest build of a job ended.
//!
//! <https://www.jenkins.io/doc/book/using/remote-access-api/>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError, form,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "jenkins_job",
    name: "Jenkins job",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(15);
/// The job itself, which is there before its first build, with its last builds: the last of all may have been aborted.
const TREE: &str = "fullName,url,builds[number,result,url]{0,50}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The job's address, such as `https://ci.example.com/job/website/job/main`.
    url: String,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        if !self.url.contains("/job/") {
            return Err(SettingsError::new("url", "must be the job's address, such as https://ci.example.com/job/website"));
        }
        poll::join("url", &self.url, &format!("/api/json?tree={}", form::escape(TREE)))
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?).authorized(secrets))
}

/// The builds are a history: the newest that says anything counts.
fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let job: Job = reading::object(inbound.document()?)?;
    if job.builds.is_empty() {
        return Err(ParseError::field("builds", "is empty: the job was never built"));
    }
    let telling = job.builds.iter().enumerate().filter_map(|(index, build)| {
        let result = build.result.as_deref()?;
        Some((index, build, result, health(result)?))
    });
    let mut signals = Vec::new();
    if let Some((index, build, result, means)) = telling.max_by_key(|(_, build, ..)| build.number) {
        let word = Word { path: format!("builds[{index}].result"), text: result, means };
        // The one thing of this integration: other settings make it another job, and no second thing that never ends.
        let mut signal = thing::signal("job", "newest", &job.full_name, &word, inbound.received_at);
        signal.summary = format!("{}: build {} ended with {result}", job.full_name, build.number);
        set::link(&mut signal, &build.url);
        signals.push(signal);
    }
    poll::partial(&mut signals, None, inbound.received_at);
    Ok(signals)
}

/// Nothing for a build that says nothing about health; nothing inside for a result we do not know.
fn health(result: &str) -> Option<Option<Health>> {
    match result {
        "ABORTED" | "NOT_BUILT" => None,
        "SUCCESS" => Some(Some(HEALTHY)),
        "UNSTABLE" => Some(Some(trouble(Severity::Warning))),
        "FAILURE" => Some(Some(trouble(Severity::Error))),
        _ => Some(None),
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    #[serde(deserialize_with = "reading::id")]
    full_name: String,
    builds: Vec<Build>,
}

#[derive(Deserialize)]
struct Build {
    number: u64,
    /// Nothing while it runs.
    result: Option<String>,
    #[serde(default)]
    url: String,
}
