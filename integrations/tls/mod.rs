//! A server's certificate: for whom, by whom, and for how much longer.

use domain::{Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    check::{self, AT_LEAST, Check, Common, Level, Measured, Probe, TlsProbe, Verdict, What},
    probe::{is_host, place},
    provider::Checked,
};

pub(crate) static PROVIDER: Provider = Provider::checked(Checked {
    slug: "tls",
    name: "TLS certificate check",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings,
    check: Check { every: Span::mins(60), at_least: AT_LEAST, probe, judge },
    parse: |inbound, settings| signals(inbound, settings),
});

const DAY_MS: i64 = 86_400_000;
/// Time left at which to warn, if the settings do not say: certificates that renew themselves do so well before.
const WARNING: Span = Span(14 * DAY_MS);
const CRITICAL: Span = Span(3 * DAY_MS);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    host: String,
    #[serde(default = "https")]
    port: u16,
    /// What to ask for, if not for `host`.
    server_name: Option<String>,
}

const fn https() -> u16 {
    443
}

impl Own {
    fn server_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.host)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |path: &str, problem: &str| Err(SettingsError::new(path, problem));
        match () {
            () if !is_host(&self.host) => refuse("host", "must be a name such as www.example.com, or an address"),
            () if self.port == 0 => refuse("port", "must be between 1 and 65535"),
            () if !is_host(self.server_name()) => refuse("server_name", "must be a name such as www.example.com, or an address"),
            () => Ok(()),
        }
    }
}

/// Time left at which to warn, and at which it is critical.
fn left(common: &Common) -> (Span, Span) {
    (common.warning.unwrap_or(WARNING), common.critical.unwrap_or(CRITICAL))
}

fn check_settings(settings: &Value) -> Result<(), SettingsError> {
    let (common, own) = check::check_settings::<Own>(settings)?;
    let (warning, critical) = left(&common);
    if critical < Span::ZERO || warning < critical {
        return Err(SettingsError::new("warning", format!("must be at least {critical}, which is `critical`")));
    }
    own.check()
}

fn probe(settings: &Settings, _: &[SecretString]) -> Result<Probe, SettingsError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    own.check()?;
    let server_name = own.server_name().to_owned();
    let Own { host, port, .. } = own;
    Ok(Probe { what: What::Tls(TlsProbe { host, port, server_name }), timeout: common.timeout, ip: common.ip })
}

fn judge(measured: &Measured, settings: &Settings) -> Result<Verdict, ParseError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    let subject = place(&own.host, own.port);
    // What is wrong with the certificate is told before what is wrong with the connection: some servers break off.
    let Some(certificate) = &measured.certificate else {
        let answered = Verdict::healthy(subject, "answered", None);
        return match &measured.failure {
            Some(failure) => Ok(answered.failed(failure)),
            None => Err(ParseError::missing("certificate")),
        };
    };
    let at = measured.at.ok_or_else(|| ParseError::missing("at"))?;
    let left_over = certificate.not_after.since(at);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 ms")]
    let days = left_over.0 as f64 / DAY_MS as f64;
    let text = format!("the certificate is valid until {}, for {days:.0} more days", certificate.not_after);
    let mut valid = Verdict::healthy(subject, text.clone(), Some((days * 10.0).round() / 10.0));
    valid.labels.insert("days_left".to_owned(), format!("{:.0}", days.floor()));
    let (warning, critical) = left(&common);
    Ok(match certificate.failure(own.server_name(), at).or_else(|| measured.failure.clone()) {
        Some(failure) => valid.failed(&failure),
        None if left_over <= critical => valid.bad(Level::Critical, "certificate_expires", text),
        None if left_over <= warning => valid.bad(Level::Warning, "certificate_expires", text),
        None => valid,
    })
}

fn signals(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    check::signals(&PROVIDER, inbound, settings)
}
