//! GitLab: how the newest pipeline of a branch ended.
//!
//! <https://docs.gitlab.com/api/pipelines/#list-project-pipelines>

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
    slug: "gitlab_pipelines",
    name: "GitLab pipelines",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Such as `group/website`, or its number.
    project: String,
    /// A branch or tag.
    #[serde(default = "main_branch", rename = "ref")]
    reference: String,
    /// Only pipelines of this source, such as `schedule`.
    source: Option<String>,
    /// The instance's address.
    #[serde(default = "gitlab")]
    url: String,
}

fn main_branch() -> String {
    "main".to_owned()
}

fn gitlab() -> String {
    "https://gitlab.com".to_owned()
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        if self.project.trim().is_empty() {
            return Err(SettingsError::new("project", "must be like `group/name`, or the project's number"));
        }
        let source = self.source.as_ref().map_or_else(String::new, |source| format!("&source={}", form::escape(source)));
        let (project, reference) = (form::escape(&self.project), form::escape(&self.reference));
        poll::join("url", &self.url, &format!("/api/v4/projects/{project}/pipelines?ref={reference}{source}&per_page=100"))
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let request = Request::get(poll::settings::<Own>(settings.json())?.url()?);
    Ok(match secrets.last() {
        Some(secret) => request.header("private-token", secret.clone()),
        None => request,
    })
}

/// The pipelines are a history: the newest that says anything counts.
fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let own: Own = poll::settings(settings.json())?;
    let pipelines: Vec<Pipeline> = reading::body(inbound.document()?)?;
    if pipelines.is_empty() {
        return Err(ParseError::field("pipelines", format!("there are none: nothing has run on `{}`", own.reference)));
    }
    let telling = pipelines.iter().enumerate().filter_map(|(index, pipeline)| Some((index, pipeline, health(&pipeline.status)?)));
    let mut signals = Vec::new();
    if let Some((index, pipeline, means)) = telling.max_by_key(|(_, pipeline, _)| pipeline.id) {
        let word = Word { path: format!("[{index}].status"), text: &pipeline.status, means };
        let key = format!("{}@{}", own.project, own.reference);
        // The one thing of this integration: other settings make it another pipeline, and no second thing that never ends.
        let mut signal = thing::signal("pipeline", "newest", &key, &word, inbound.received_at);
        signal.summary = format!("{}: pipeline {} on {} ended with {}", own.project, pipeline.id, own.reference, pipeline.status);
        set::labels(&mut signal, [("project", &*own.project), ("ref", &own.reference), ("source", &pipeline.source)]);
        set::link(&mut signal, &pipeline.web_url);
        signals.push(signal);
    }
    poll::partial(&mut signals, None, inbound.received_at);
    Ok(signals)
}

/// Nothing for a pipeline that is not over or says nothing about health; nothing inside for a word we do not know.
fn health(status: &str) -> Option<Option<Health>> {
    match status {
        "created"
        | "waiting_for_resource"
        | "waiting_for_callback"
        | "preparing"
        | "pending"
        | "running"
        | "canceling"
        | "canceled"
        | "skipped"
        | "manual"
        | "scheduled" => None,
        "success" => Some(Some(HEALTHY)),
        "failed" => Some(Some(trouble(Severity::Error))),
        _ => Some(None),
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Pipeline {
    id: u64,
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    source: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    web_url: String,
}
