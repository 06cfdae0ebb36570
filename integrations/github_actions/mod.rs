//! GitHub Actions: how the workflows of a branch last ended.
//!
//! <https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-repository>

use std::collections::BTreeMap;

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
    slug: "github_actions",
    name: "GitHub Actions",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(120), at_least: AT_LEAST, request, pages: None },
    parse,
});

/// Without a token, GitHub answers 60 times an hour.
const AT_LEAST: Span = Span::secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Such as `octo/website`.
    repository: String,
    #[serde(default = "main_branch")]
    branch: String,
    /// One workflow only, by its file's name.
    workflow: Option<String>,
    /// The API's address, for GitHub Enterprise Server.
    #[serde(default = "github")]
    url: String,
}

fn main_branch() -> String {
    "main".to_owned()
}

fn github() -> String {
    "https://api.github.com".to_owned()
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        let [owner, name] = *self.repository.split('/').collect::<Vec<_>>() else {
            return Err(SettingsError::new("repository", "must be like `owner/name`"));
        };
        let of = self.workflow.as_ref().map_or_else(String::new, |workflow| format!("/workflows/{}", form::escape(workflow)));
        let (owner, name, branch) = (form::escape(owner), form::escape(name), form::escape(&self.branch));
        let query = format!("branch={branch}&status=completed&exclude_pull_requests=true&per_page=100");
        poll::join("url", &self.url, &format!("/repos/{owner}/{name}/actions{of}/runs?{query}"))
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    let request = Request::get(own.url()?).header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28");
    Ok(request.authorized(secrets))
}

/// The runs are a history: of each workflow the newest run that says anything counts, and what is not in it is not over.
fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let own: Own = poll::settings(settings.json())?;
    let answer: Answer = reading::object(inbound.document()?)?;
    if answer.workflow_runs.is_empty() {
        return Err(ParseError::field("workflow_runs", format!("is empty: no workflow has run on the branch `{}`", own.branch)));
    }
    let mut newest: BTreeMap<u64, (usize, &Run, Option<Health>)> = BTreeMap::new();
    for (index, run) in answer.workflow_runs.iter().enumerate() {
        let Some(means) = health(run) else { continue };
        let known = newest.entry(run.workflow_id).or_insert((index, run, means));
        if (run.run_number, run.run_attempt) > (known.1.run_number, known.1.run_attempt) {
            *known = (index, run, means);
        }
    }
    let mut signals = Vec::with_capacity(newest.len() + 1);
    for (workflow, (index, run, means)) in newest {
        // A word nobody taught us may be the run's status as well.
        let conclusion = if run.status == "completed" { run.conclusion.as_deref().unwrap_or_default() } else { &run.status };
        let word = Word { path: format!("workflow_runs[{index}].conclusion"), text: conclusion, means };
        let mut signal = thing::signal("workflow", &workflow.to_string(), &run.name, &word, inbound.received_at);
        signal.summary = format!("{}: run {} of {} ended with {conclusion}", own.repository, run.run_number, signal.subject);
        set::labels(&mut signal, [("repository", &*own.repository), ("branch", &run.head_branch), ("event", &run.event)]);
        set::link(&mut signal, &run.html_url);
        signals.push(signal);
    }
    poll::partial(&mut signals, None, inbound.received_at);
    Ok(signals)
}

/// Nothing for a run that is not over or says nothing about health; nothing inside for a status or conclusion we do not know, since an
/// older run must not speak for it.
fn health(run: &Run) -> Option<Option<Health>> {
    match (run.status.as_str(), run.conclusion.as_deref()) {
        ("queued" | "in_progress" | "requested" | "waiting" | "pending", _) => None,
        ("completed", Some("neutral" | "cancelled" | "skipped" | "stale" | "action_required")) => None,
        ("completed", Some("success")) => Some(Some(HEALTHY)),
        ("completed", Some("failure" | "timed_out" | "startup_failure")) => Some(Some(trouble(Severity::Error))),
        _ => Some(None),
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Answer {
    workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    workflow_id: u64,
    run_number: u64,
    #[serde(default)]
    run_attempt: u64,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    name: String,
    status: String,
    conclusion: Option<String>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    head_branch: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    html_url: String,
}
