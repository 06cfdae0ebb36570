//! Signed webhooks for Fanal to take in, and the configuration that gives them a meaning.

use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs what Fanal is sent, and what it sends.
pub(crate) const SECRET: &str = "whsec_YmVuY2hlcyBvbmx5OiAyNCBieXRlcyBvciBtb3JlIQ==";
/// The integrations' name in their URLs; a number follows.
const INTEGRATION: &str = "events";
/// Routes of one integration, unless somebody wants them otherwise.
pub(crate) const N_ROUTES: usize = 100;
/// Where the fields stand in what they are sent.
const SETTINGS: &str = "
    provider: standard_webhooks
    secrets: [{ value: whsec_YmVuY2hlcyBvbmx5OiAyNCBieXRlcyBvciBtb3JlIQ== }]
    settings:
      fingerprint: body.data.check
      state: body.type
      firing: [service.down]
      resolved: [service.up]
      severity: body.data.severity
      summary: body.data.message
      labels: { service: body.data.service }
";

/// A page of `n_components` in groups of ten, each with a route of its own; `subscriber` is the URL of a webhook.
pub(crate) fn configuration(n_components: usize, subscriber: Option<&str>) -> String {
    configuration_of(n_components, N_ROUTES, subscriber)
}

/// As [`configuration`], with so many routes for each integration.
pub(crate) fn configuration_of(n_components: usize, n_routes: usize, subscriber: Option<&str>) -> String {
    let mut text =
        String::from("page: { name: Acme, time_zone: Europe/Paris, description: How the services of Acme are doing }\ncomponents:\n");
    for n in 0..n_components {
        let _ = writeln!(text, "  - {{ key: c{n}, name: Service {n}, group: Group {} }}", n / 10);
    }
    text.push_str("integrations:\n");
    for first in (0..n_components).step_by(n_routes) {
        let _ = writeln!(text, "  - key: {INTEGRATION}-{}{SETTINGS}    routes:", first / n_routes);
        for n in first..n_components.min(first + n_routes) {
            let _ = writeln!(
                text,
                "      - {{ when: 'signal.labels.service == \"c{n}\"', components: [c{n}], publish: auto, \
                 status: {{ critical: major_outage, error: partial_outage, warning: degraded_performance }} }}"
            );
        }
    }
    if let Some(url) = subscriber {
        let _ = writeln!(text, "subscribers:\n  - {{ channel: webhook, url: \"{url}\", secret: {{ value: {SECRET} }} }}");
    }
    text
}

/// What a webhook says: of which check, on which component, and how bad it is; no severity means that it is over.
#[derive(Clone, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) id: &'a str,
    pub(crate) check: &'a str,
    pub(crate) component: usize,
    /// Which integration it is sent to.
    pub(crate) integration: usize,
    pub(crate) severity: Option<&'a str>,
}

/// The bytes of the signed request.
pub(crate) fn request(event: &Event<'_>) -> Result<Vec<u8>> {
    let Event { id, check, component, integration, severity } = event;
    let kind = if severity.is_some() { "service.down" } else { "service.up" };
    let body = format!(
        r#"{{"type":"{kind}","timestamp":"2026-03-01T11:59:59.500Z","data":{{"check":"{check}","service":"c{component}","severity":"{}","region":"eu-west-3","message":"The probe in Paris has had no answer for 30 s","runbook":"https://wiki.example.com/runbooks/service-{component}"}}}}"#,
        severity.unwrap_or("info")
    );
    let seconds = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let signature = sign(id, &seconds.to_string(), body.as_bytes())?;
    Ok(format!(
        "POST /hooks/{INTEGRATION}-{integration} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nuser-agent: benches\r\n\
         webhook-id: {id}\r\nwebhook-timestamp: {seconds}\r\nwebhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes())
}

/// The signature that belongs to a message.
pub(crate) fn sign(id: &str, seconds: &str, body: &[u8]) -> Result<String> {
    let key = BASE64_STANDARD.decode(SECRET.trim_start_matches("whsec_")).context("the secret above")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).context("HMAC takes keys of any length")?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
}

/// When a message that is sent at a steady pace is due.
pub(crate) fn due(begun: tokio::time::Instant, n: usize, per_second: u32) -> tokio::time::Instant {
    begun + Duration::from_secs(1) * u32::try_from(n).unwrap_or(u32::MAX) / per_second
}
