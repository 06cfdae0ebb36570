//! A connection that stands, and perhaps says what it should.

use domain::Signal;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    check::{self, AT_LEAST, Check, EVERY, Level, Measured, Probe, TcpProbe, Verdict, What},
    error::quoted,
    probe::{is_host, place},
    provider::Checked,
};

pub(crate) static PROVIDER: Provider = Provider::checked(Checked {
    slug: "tcp",
    name: "TCP check",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings,
    check: Check { every: EVERY, at_least: AT_LEAST, probe, judge },
    parse: |inbound, settings| signals(inbound, settings),
});

/// The longest text to wait for.
const MAX_EXPECT_BYTES: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    host: String,
    port: u16,
    /// Must be in what the server says by itself, such as `220` for mail or `SSH-2.0`.
    expect: Option<String>,
}

impl Own {
    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |path: &str, problem: &str| Err(SettingsError::new(path, problem));
        match &self.expect {
            _ if !is_host(&self.host) => refuse("host", "must be a name such as db.example.com, or an address"),
            _ if self.port == 0 => refuse("port", "must be between 1 and 65535"),
            Some(expect) if expect.is_empty() || expect.len() > MAX_EXPECT_BYTES => refuse("expect", "must have 1 to 256 bytes"),
            _ => Ok(()),
        }
    }
}

fn check_settings(settings: &Value) -> Result<(), SettingsError> {
    let (common, own) = check::check_settings::<Own>(settings)?;
    common.check_latencies()?;
    own.check()
}

fn probe(settings: &Settings, _: &[SecretString]) -> Result<Probe, SettingsError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    own.check()?;
    let Own { host, port, expect } = own;
    Ok(Probe { what: What::Tcp(TcpProbe { host, port, expect }), timeout: common.timeout, ip: common.ip })
}

fn judge(measured: &Measured, settings: &Settings) -> Result<Verdict, ParseError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    let connected = Verdict::healthy(place(&own.host, own.port), "connected", measured.timings.total);
    if let Some(failure) = &measured.failure {
        return Ok(connected.failed(failure));
    }
    let said = measured.body.as_deref().unwrap_or_default();
    match own.expect {
        Some(expect) if !said.contains(&expect) => {
            Ok(connected.bad(Level::Critical, "text", format!("did not say `{}` but `{}`", quoted(&expect), quoted(said))))
        }
        _ => Ok(connected.timed(&common)),
    }
}

fn signals(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    check::signals(&PROVIDER, inbound, settings)
}
