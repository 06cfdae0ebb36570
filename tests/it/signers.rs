//! Requests signed by the senders' own libraries.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    road::WEBHOOK_SECRET,
    servers::process,
};

const GITHUB_SECRET: &str = "a-github-secret-of-the-tests";
const STRIPE_SECRET: &str = "whsec_a-stripe-secret-of-the-tests";

/// Who signs, for which integration, with which secret; each is a component of its own.
const SIGNERS: [(&str, &str, &str); 4] = [
    ("github", "code", GITHUB_SECRET),
    ("standardwebhooks", "standard", WEBHOOK_SECRET),
    ("svix", "svix", WEBHOOK_SECRET),
    ("stripe", "payments", STRIPE_SECRET),
];

const EVENT: &str = "fingerprint: body.data.service, state: body.type, firing: [service.down], resolved: [service.up]";

fn configuration() -> String {
    let components: String = SIGNERS.iter().map(|(_, key, _)| format!("  - {{ key: {key}, name: {key} }}\n")).collect();
    let integration = |key: &str, provider: &str, secret: &str, settings: &str| {
        let routes = format!("routes: [{{ components: [{key}], status: {{ default: major_outage }}, publish: auto }}]");
        format!("  - key: {key}\n    provider: {provider}\n    secrets: [{{ value: {secret} }}]\n{settings}    {routes}\n")
    };
    let settings = |more: &str| format!("    settings: {{ {EVENT}{more} }}\n");
    let stripe = ", signature: { header: stripe-signature, list_separator: \",\", pair_separator: \"=\", versions: [v1], \
                  timestamp_parameter: t, signed_text: \"{ts}.{body}\" }";
    format!(
        "page: {{ name: Acme, time_zone: Europe/Paris }}\ncomponents:\n{components}integrations:\n{}{}{}{}",
        integration("code", "github", GITHUB_SECRET, ""),
        integration("standard", "standard_webhooks", WEBHOOK_SECRET, &settings("")),
        integration("svix", "standard_webhooks", WEBHOOK_SECRET, &settings("")),
        integration("payments", "json", STRIPE_SECRET, &settings(stripe)),
    )
}

/// What each of them would send of something that is down.
fn body(signer: &str) -> Result<String> {
    if signer == "github" {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations/github/fixtures/workflow_failure.http");
        let text = fs::read_to_string(fixture)?;
        return Ok(text.split_once("\n\n").context("headers, an empty line, a body")?.1.to_owned());
    }
    Ok(json!({ "type": "service.down", "data": { "service": "quay", "note": "caf\u{e9} & co" } }).to_string())
}

type Headers = BTreeMap<String, String>;

/// The headers of each request, from the libraries.
fn sign(requests: &Value) -> Result<Vec<Headers>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signers");
    ensure!(
        folder.join("node_modules").is_dir(),
        "the signers are not installed: `cargo xtask test` does it, or `npm ci` in {}",
        folder.display()
    );
    let mut node = Command::new(process::find_program("node")?);
    let mut child = node.arg("sign.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("its input")?.write_all(requests.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "node: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn post(app: &App, key: &str, headers: &Headers, body: &[u8]) -> Result<u16> {
    let mut request = app.http.post(format!("{}/hooks/{key}", app.base)).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Ok(request.header("x-github-event", "workflow_run").body(body.to_vec()).send().await?.status().as_u16())
}

/// The same with one bit of its middle flipped.
fn flipped(body: &str) -> Vec<u8> {
    let mut bytes = body.as_bytes().to_vec();
    bytes[body.len() / 2] ^= 1;
    bytes
}

/// What a sender's own library signs is let in and shows; with one bit flipped it is not, nor when it comes under another integration's name.
async fn what_a_senders_own_library_signs_is_let_in(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(), &[]).await?;
    let mut requests = Vec::new();
    for (signer, _, secret) in SIGNERS {
        requests.push(json!({ "signer": signer, "secret": secret, "body": body(signer)? }));
    }
    let signed = sign(&Value::from(requests.clone()))?;
    for ((signer, key, _), headers) in SIGNERS.iter().zip(&signed) {
        let body = body(signer)?;
        ensure!(post(&app, key, headers, &flipped(&body)).await? == 401, "{signer}: a flipped bit");
        ensure!(post(&app, key, headers, format!("{body} ").as_bytes()).await? == 401, "{signer}: one byte more");
        ensure!(post(&app, key, &Headers::new(), body.as_bytes()).await? == 401, "{signer}: unsigned");
        let other = if *key == "code" { "payments" } else { "code" };
        ensure!(post(&app, other, headers, body.as_bytes()).await? == 401, "{signer}: somebody else's signature");
        ensure!(app.status_of(key).await? == "operational", "{signer}: nothing of it counts");
        ensure!(post(&app, key, headers, body.as_bytes()).await? == 202, "{signer}");
        ensure!(post(&app, key, headers, body.as_bytes()).await? == 202, "{signer}: once more");
        app.wait_for_status(key, "major_outage").await?;
    }
    let listed = app.admin_list("/deliveries").await?;
    ensure!(listed.len() == SIGNERS.len(), "what comes twice is one delivery: {listed:?}");
    app.finish().await
}

on_every_stack!(what_a_senders_own_library_signs_is_let_in);
