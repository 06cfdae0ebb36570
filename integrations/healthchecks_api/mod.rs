//! Healthchecks.io, hosted or one's own: the state of a project's checks.
//!
//! <https://healthchecks.io/docs/api/#list-checks>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    Inbound, MAX_LABELS, ParseError, Provider, Settings, SettingsError, form,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, UNSURE, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "healthchecks_api",
    name: "Healthchecks.io API",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(15);
/// Leaves room for the labels of our own.
const MAX_TAGS: usize = MAX_LABELS - 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The site's address.
    #[serde(default = "hosted")]
    url: String,
    /// Only checks with all of these tags.
    #[serde(default)]
    tags: Vec<String>,
}

fn hosted() -> String {
    "https://healthchecks.io".to_owned()
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        let tags: Vec<(&str, &str)> = self.tags.iter().map(|tag| ("tag", tag.as_str())).collect();
        let query = if tags.is_empty() { String::new() } else { format!("?{}", form::write(&tags)) };
        poll::join("url", &self.url, &format!("/api/v3/checks/{query}"))
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let key = poll::secret(secrets, "the project's read-only API key")?;
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?).header("x-api-key", key))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let answer: Answer = reading::object(inbound.document()?)?;
    thing::any("checks", &answer.checks)?;
    let told = |(index, check): (usize, Check)| {
        let id = id(&check).ok_or_else(|| ParseError::missing(format!("checks[{index}].unique_key")))?;
        let word = Word { path: format!("checks[{index}].status"), text: &check.status, means: state(&check.status) };
        let mut signal = thing::signal("check", &id, &check.name, &word, inbound.received_at);
        for tag in check.tags.split_whitespace().take(MAX_TAGS) {
            set::tag(&mut signal, tag, "");
        }
        set::labels(&mut signal, [("slug", &*check.slug)]);
        Ok(signal)
    };
    answer.checks.into_iter().enumerate().map(told).collect()
}

/// Whoever knows the id can ping: it is kept as a hash. A read-only key is told a stand-in instead.
fn id(check: &Check) -> Option<String> {
    if !check.unique_key.is_empty() {
        return Some(check.unique_key.clone());
    }
    (!check.uuid.is_empty()).then(|| format!("sha256:{}", hex::encode(&Sha256::digest(&check.uuid)[..16])))
}

fn state(word: &str) -> Option<Health> {
    match word {
        // In its grace time a ping is late, and not yet missing.
        "up" | "grace" => Some(HEALTHY),
        "paused" => Some(NO_FAULT),
        "new" => Some(UNSURE),
        "down" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those. The addresses in a check are as good as its keys: they are left where they are.

#[derive(Deserialize)]
struct Answer {
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    tags: String,
    status: String,
    #[serde(default)]
    uuid: String,
    #[serde(default)]
    unique_key: String,
}
