//! Checkly: the state of its checks.
//!
//! <https://developers.checklyhq.com/reference/getv1checkstatuses>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "checkly_api",
    name: "Checkly API",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.check()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The account's id.
    account: String,
}

impl Own {
    fn check(&self) -> Result<(), SettingsError> {
        let fits = !self.account.is_empty() && self.account.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { Ok(()) } else { Err(SettingsError::new("account", "must be the account's id")) }
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    own.check()?;
    let key = poll::secret(secrets, "an API key")?;
    Ok(Request::get("https://api.checklyhq.com/v1/check-statuses").credentials(key).header("x-checkly-account", own.account))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let checks: Vec<Check> = reading::body(inbound.document()?)?;
    thing::any("checks", &checks)?;
    let told = |(index, check): (usize, &Check)| {
        let (text, means) = match () {
            () if check.has_errors || check.has_failures => ("failing", trouble(Severity::Critical)),
            () if check.is_degraded => ("degraded", trouble(Severity::Warning)),
            () => ("passing", HEALTHY),
        };
        let word = Word { path: format!("[{index}]"), text, means: Some(means) };
        let mut signal = thing::signal("check", &check.check_id, &check.name, &word, inbound.received_at);
        set::labels(&mut signal, [("check_id", &*check.check_id)]);
        signal
    };
    Ok(checks.iter().enumerate().map(told).collect())
}

// The fields we read, and only those.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    #[serde(deserialize_with = "reading::id")]
    check_id: String,
    #[serde(default)]
    name: String,
    has_failures: bool,
    has_errors: bool,
    is_degraded: bool,
}
