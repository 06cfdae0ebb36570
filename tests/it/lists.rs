//! Lists in their orders, and what is done to several of their rows at once, alike on every database.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    road::{TOKEN, configuration},
};

const SOON: Duration = Duration::from_secs(20);

/// Every entry of a list in an order, two to a page.
async fn in_order(app: &App, path: &str, field: &str) -> Result<Vec<String>> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.admin(&format!("{path}&limit=2{cursor}")).await?;
        seen.extend(page["items"].as_array().context("items")?.iter().map(|item| item[field].to_string().replace('"', "")));
        let Some(next) = page["next"].as_str() else { return Ok(seen) };
        cursor = format!("&cursor={next}");
    }
}

/// A request that is answered without a body.
async fn done(app: &App, method: Method, path: &str, body: &Value) -> Result<()> {
    let token = app.command(&["token", "create", "--name", "done", "--scope", "*"])?;
    let url = format!("{}/api/admin/v1{path}", app.base);
    let send = || app.http.request(method.clone(), &url).bearer_auth(token.trim()).json(body).send();
    let mut answer = send().await?;
    // Who is asked to come again comes again.
    for _ in 0..5 {
        if answer.status() != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        answer = send().await?;
    }
    ensure!(answer.status() == 204, "{path}: {} {}", answer.status(), answer.text().await?);
    Ok(())
}

async fn each_order_pages_without_a_gap(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme }\n", &[]).await?;
    for (key, name) in [("a", "beta"), ("b", "Alpha"), ("c", "Beta"), ("d", "ALPHA"), ("e", "gamma")] {
        app.admin_post("/components", &json!({ "key": key, "name": name })).await?;
        app.admin_post("/integrations", &json!({ "key": key, "provider": "alertmanager", "name": name })).await?;
        app.admin_post("/subscribers", &json!({ "channel": "email", "address": format!("{key}@example.com") })).await?;
        app.admin_post("/tokens", &json!({ "name": name, "scopes": ["page:read"] })).await?;
    }
    for path in ["/components", "/integrations"] {
        for (sort, expected) in [("name", "bdace"), ("-name", "ecadb"), ("id", "abcde"), ("-id", "edcba")] {
            ensure!(in_order(&app, &format!("{path}?sort={sort}"), "key").await?.concat() == expected, "{path} {sort}");
        }
    }
    ensure!(in_order(&app, "/components?sort=-status_since", "key").await?.len() == 5);
    ensure!(in_order(&app, "/integrations?sort=-key", "key").await?.concat() == "edcba");
    ensure!(in_order(&app, "/tokens?sort=name", "name").await?.len() == 6, "with that of the tests");
    ensure!(in_order(&app, "/tokens?sort=-last_used_at", "name").await?[0] == "tests");
    let back = ["e", "d", "c", "b", "a"].map(|key| format!("{key}@example.com"));
    for filter in ["", "&channel=email", "&address=example"] {
        ensure!(in_order(&app, &format!("/subscribers?sort=-address{filter}"), "address").await? == back, "{filter}");
    }
    for sort in ["name", "-email", "role", "id"] {
        ensure!(in_order(&app, &format!("/users?sort={sort}&role=owner"), "email").await?.is_empty());
    }
    app.finish().await
}

async fn several_rows_are_dealt_with_at_once(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration("http://127.0.0.1:9/in"), &[]).await?;
    for _ in 0..5 {
        let hook = app.http.post(format!("{}/hooks/prod-alerts", app.base)).bearer_auth(TOKEN).body("{}");
        ensure!(hook.send().await?.status() == 202);
    }
    app.settle(SOON).await?;
    let newest = in_order(&app, "/deliveries?state=quarantined", "id").await?;
    let mut oldest = in_order(&app, "/deliveries?state=quarantined&sort=id", "id").await?;
    oldest.reverse();
    ensure!(newest.len() == 5 && newest == oldest, "{newest:?} {oldest:?}");
    let at = app.admin("/deliveries?limit=1&sort=id").await?["items"][0]["received_at"].as_str().context("a time")?.to_owned();
    ensure!(in_order(&app, &format!("/deliveries?from={at}&state=quarantined"), "id").await? == newest);
    ensure!(in_order(&app, &format!("/deliveries?from={at}&sort=id&integration=prod-alerts"), "id").await?.len() == 5);
    ensure!(in_order(&app, &format!("/deliveries?to={at}"), "id").await?.is_empty(), "a time that ends before");
    let ids: Vec<i64> = newest.iter().take(3).filter_map(|id| id.parse().ok()).chain([999_999]).collect();
    let looked = app.admin_post("/deliveries/replay", &json!({ "ids": ids })).await?;
    ensure!(looked["replayed"] == 3, "{looked}");
    app.settle(SOON).await?;
    ensure!(in_order(&app, "/deliveries?state=quarantined", "id").await? == newest, "they were looked at again");

    let parts: Vec<Value> = app.admin_list("/components").await?.iter().map(|component| component["id"].clone()).collect();
    let shown = app.admin_send(Method::PUT, "/components/overrides", &json!({ "ids": parts, "status": "unknown" })).await?;
    ensure!(shown["items"].as_array().is_some_and(|items| items.iter().all(|item| item["status"] == "unknown")), "{shown}");
    app.admin_send(Method::PUT, "/components/overrides", &json!({ "ids": parts, "status": null })).await?;
    app.wait_for_status("API", "operational").await?;

    let mut drafts = Vec::new();
    for title in ["One", "Two"] {
        drafts.push(app.admin_post("/incidents", &json!({ "title": title, "published": false })).await?["id"].clone());
    }
    done(&app, Method::POST, "/incidents/discard", &json!({ "ids": drafts })).await?;
    ensure!(!app.admin_list("/incidents").await?.iter().any(|incident| drafts.contains(&incident["id"])));

    let subscribers: Vec<Value> = app.admin_list("/subscribers").await?.iter().map(|subscriber| subscriber["id"].clone()).collect();
    app.admin_post("/subscribers/enable", &json!({ "ids": subscribers })).await?;
    let notifications: Vec<i64> = (1..=9).collect();
    app.admin_post("/notifications/resend", &json!({ "ids": notifications })).await?;
    done(&app, Method::POST, "/subscribers/delete", &json!({ "ids": subscribers })).await?;
    ensure!(app.admin_list("/subscribers").await?.is_empty());
    app.finish().await
}

async fn what_a_series_would_do_is_seen_before_it_does(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme }\n", &[]).await?;
    let begins = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(72)).strftime("%Y-%m-%dT02:00").to_string();
    let body = json!({ "title": "Upkeep", "starts_at": begins, "duration": "1h", "rule": "FREQ=DAILY;COUNT=4", "announce": "0s" });
    let made = app.admin_post("/maintenance-series", &body).await?;
    let path = format!("/maintenance-series/{}", made["id"]);
    let before = app.admin_list("/maintenances").await?;
    let patch = json!({ "duration": "2h", "from": before[1]["id"] });
    let effect = app.admin_post(&format!("{path}/preview"), &patch).await?;
    let what: Vec<&str> = effect["changes"].as_array().context("changes")?.iter().filter_map(|change| change["what"].as_str()).collect();
    ensure!(what == ["kept", "kept", "moved", "moved"], "{effect}");
    ensure!(app.admin_list("/maintenances").await? == before, "nothing was stored");
    app.admin_send(Method::PATCH, &path, &patch).await?;
    let third = before[1]["id"].clone();
    done(&app, Method::DELETE, &format!("{path}?from={third}"), &Value::Null).await?;
    let left = app.admin_list("/maintenances").await?;
    ensure!(left.iter().filter(|window| window["status"] == "scheduled").count() == 2, "{left:?}");
    app.finish().await
}

on_every_stack!(each_order_pages_without_a_gap, several_rows_are_dealt_with_at_once, what_a_series_would_do_is_seen_before_it_does);
