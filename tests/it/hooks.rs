//! What the hooks do for single senders beside taking their webhooks in.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    road::{TOKEN, now},
    servers::{
        sns::{self, Sns},
        wait_for,
    },
};

const SOON: Duration = Duration::from_secs(20);

fn sns_configuration(endpoint: &str) -> String {
    format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: checkout, name: Checkout }}
integrations:
  - key: aws
    provider: aws_sns
    settings:
      topics: ["{}"]
      endpoints: ["{endpoint}"]
    routes:
      - when: signal.labels.alarm == "checkout-5xx"
        components: [checkout]
        status: {{ error: major_outage }}
        publish: auto
"#,
        sns::TOPIC
    )
}

fn alarm(state: &str) -> Value {
    json!({
        "AlarmName": "checkout-5xx", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-5xx",
        "AWSAccountId": "123456789012", "Region": "EU (Ireland)", "NewStateValue": state, "NewStateReason": "Threshold Crossed",
        "StateChangeTime": now(), "Trigger": { "MetricName": "5XX", "Namespace": "AWS/ELB", "Dimensions": [] },
    })
}

/// Posts as SNS does; the status and the code of the answer.
async fn publish(app: &App, message: &Value) -> Result<(u16, Value)> {
    let post = app.http.post(format!("{}/hooks/aws", app.base)).header("content-type", "text/plain; charset=UTF-8");
    let answer = post.header("x-amz-sns-subscription-arn", format!("{}:0b1c2d3e", sns::TOPIC)).body(message.to_string()).send().await?;
    let (status, retry_after) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
    ensure!((status == 503) == retry_after, "an answer {status} asks to come again: {retry_after}");
    Ok((status, answer.json::<Value>().await.map_or(Value::Null, |problem| problem["code"].clone())))
}

fn confirms(query: &str) -> bool {
    query.contains("Action=ConfirmSubscription") && query.contains(sns::TOKEN)
}

/// The call that the topic waits for, once it stands so.
async fn confirmation(app: &App, state: &str) -> Option<Value> {
    let health = app.admin("/integrations/1/health").await.ok()?;
    health["confirmations"].get(0).filter(|found| found["subject"] == sns::TOPIC && found["state"] == state).cloned()
}

/// A topic asks whether it is wanted and is told so; its alarms show, and nobody else's.
async fn a_topic_is_confirmed_and_its_alarms_show(stack: Stack) -> Result<()> {
    let sns = Sns::start().await?;
    let app = App::start(stack, &sns_configuration(&sns.endpoint()), &[]).await?;
    let confirmation = sns.subscription_confirmation()?;
    ensure!(publish(&app, &confirmation).await?.0 == 503, "while there is no certificate, nobody is turned away for good");
    sns.serve_certificate()?;
    wait_for("the certificate to be fetched again", SOON, || async { (publish(&app, &confirmation).await.ok()?.0 == 202).then_some(()) })
        .await?;
    wait_for("the subscription to be confirmed", SOON, || async {
        sns.received().iter().any(|asked| asked.method == Method::GET && asked.uri.query().is_some_and(confirms)).then_some(())
    })
    .await?;

    let firing = sns.notification(&alarm("ALARM"), "1")?;
    let with = |field: &str, value: &str| {
        let mut message = firing.clone();
        message[field] = json!(value);
        message
    };
    let forged = [
        (with("Message", &alarm("OK").to_string()), "bad_signature"),
        (with("TopicArn", &sns::TOPIC.replace("harbour", "pirate")), "unlisted_sender"),
        (with("SigningCertURL", "https://sns.pirate.example/SimpleNotificationService-1.pem"), "bad_certificate"),
        (with("SignatureVersion", "2"), "bad_signature"),
    ];
    for (message, code) in forged {
        ensure!(publish(&app, &message).await? == (401, json!(code)), "{code}");
    }
    for _ in 0..3 {
        ensure!(publish(&app, &firing).await?.0 == 202, "who sends it again is content");
    }
    app.wait_for_status("Checkout", "major_outage").await?;
    let again = wait_for("what came again to be counted", SOON, || async {
        let health = app.admin("/integrations/1/health").await.ok()?;
        Some(health["duplicates"].clone()).filter(|again| again["n"] == 2)
    })
    .await?;
    ensure!(again["external_id"] == firing["MessageId"] && again["delivery"].is_number(), "{again}");
    let metric = r#"fanal_hooks_total{provider="aws_sns",result="duplicate"}"#;
    ensure!(app.metric(metric).await == Some(2.0), "every duplicate is counted");
    ensure!(publish(&app, &sns.notification(&alarm("OK"), "2")?).await?.0 == 202);
    app.wait_for_status("Checkout", "operational").await?;

    let certificates = sns.received().iter().filter(|asked| asked.uri.path().ends_with(".pem")).count();
    ensure!(certificates == 2, "once in vain, once for all: {certificates}");
    for delivery in app.admin_list("/deliveries").await? {
        let stored = app.admin(&format!("/deliveries/{}", delivery["id"])).await?.to_string();
        for secret in [sns::TOKEN, "0b1c2d3e", "Action="] {
            ensure!(!stored.contains(secret), "{secret} is kept: {stored}");
        }
    }
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

/// What a topic waits for outlives the process that took it in, and everybody can see how it goes.
async fn a_subscription_is_confirmed_by_the_process_after(stack: Stack) -> Result<()> {
    let sns = Sns::start().await?;
    let mut app = App::start(stack, &sns_configuration(&sns.endpoint()), &[]).await?;
    sns.serve_certificate()?;
    ensure!(publish(&app, &sns.notification(&alarm("OK"), "2")?).await?.0 == 202, "the certificate is known from here on");
    sns.fail();
    ensure!(publish(&app, &sns.subscription_confirmation()?).await?.0 == 202);
    let in_vain = |found: &Value| found["last_error"] == "the sender answered with status 500" && !found["next_at"].is_null();
    wait_for("a first call in vain", SOON, || async { confirmation(&app, "waiting").await.filter(in_vain) }).await?;
    let called = || sns.received().iter().filter(|asked| asked.uri.query().is_some_and(confirms)).count();
    app.kill()?;
    let before = called();
    ensure!(before > 0);
    let written = String::from_utf8_lossy(&app.everything_written().await?).contains(sns::TOKEN);
    ensure!(!written, "what confirms is kept in the clear");
    sns.serve_certificate()?;
    app.serve().await?;
    let confirmed = wait_for("the subscription to be confirmed", SOON, || confirmation(&app, "confirmed")).await?;
    ensure!(called() == before + 1 && confirmed["next_at"].is_null() && confirmed["last_error"].is_null(), "{confirmed}");
    app.finish().await
}

const ASKING: &str = r#"
page: { name: Acme, time_zone: Europe/Paris }
integrations:
  - { key: alerts, provider: alertmanager, secrets: [{ value: an-alertmanager-token-of-the-tests }] }
  - { key: code, provider: github, secrets: [{ value: an-alertmanager-token-of-the-tests }] }
  - key: events
    provider: cloudevents
    settings: { fingerprint: body.id, state: body.type, firing: [down] }
    secrets: [{ value: an-alertmanager-token-of-the-tests }]
"#;

/// Who can bring credentials is asked for them, and a sender of `CloudEvents` that asks for leave gets it.
async fn senders_are_asked_for_credentials_and_given_leave(stack: Stack) -> Result<()> {
    let app = App::start(stack, ASKING, &[]).await?;
    let hook = |key: &str| format!("{}/hooks/{key}", app.base);
    let challenges = async |key: &str| -> Result<Vec<String>> {
        let answer = app.http.post(hook(key)).body("{}").send().await?;
        ensure!(answer.status() == 401, "{key}: {}", answer.status());
        Ok(answer.headers().get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect())
    };
    ensure!(challenges("alerts").await? == ["Basic realm=\"Fanal\", charset=\"UTF-8\"", "Bearer realm=\"Fanal\""]);
    ensure!(challenges("code").await?.is_empty(), "only a signature could prove it");

    let ask = async |path: &str| {
        let request = app.http.request(Method::OPTIONS, hook(path)).header("webhook-request-callback", "http://127.0.0.1:1/");
        request.header("webhook-request-origin", "events.example").header("webhook-request-rate", "120").send().await
    };
    for path in ["events".to_owned(), format!("events/{TOKEN}")] {
        let leave = ask(&path).await?;
        ensure!(leave.status() == 200, "{path}: {}", leave.status());
        let header = |name: &str| leave.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        ensure!(
            header("webhook-allowed-origin").as_deref() == Some("events.example") && header("webhook-allowed-rate").as_deref() == Some("*")
        );
        ensure!(header("allow").context("allow")?.contains("POST"));
    }
    let other = ask("alerts").await?;
    ensure!(other.status() == 204 && !other.headers().contains_key("webhook-allowed-origin"), "others are not asked");
    ensure!(ask("nothing").await?.status() == 404);
    app.finish().await
}

on_every_stack!(
    a_topic_is_confirmed_and_its_alarms_show,
    a_subscription_is_confirmed_by_the_process_after,
    senders_are_asked_for_credentials_and_given_leave,
);
