//! A client of Cachet 2, unchanged, against `/api/v1`.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{App, Stack, on_every_stack};

/// Where `cargo xtask test` installs the client.
const PYTHON: &str = "target/tools/python/bin/python";

/// Everything that needs a token.
const WRITES: [(&str, &str); 20] = [
    ("GET", "/subscribers"),
    ("POST", "/components"),
    ("PUT", "/components/{id}"),
    ("DELETE", "/components/{id}"),
    ("POST", "/components/groups"),
    ("PUT", "/components/groups/{id}"),
    ("DELETE", "/components/groups/{id}"),
    ("POST", "/incidents"),
    ("PUT", "/incidents/{id}"),
    ("DELETE", "/incidents/{id}"),
    ("POST", "/incidents/{id}/updates"),
    ("POST", "/metrics"),
    ("PUT", "/metrics/{id}"),
    ("DELETE", "/metrics/{id}"),
    ("POST", "/metrics/{id}/points"),
    ("POST", "/schedules"),
    ("PUT", "/schedules/{id}"),
    ("DELETE", "/schedules/{id}"),
    ("POST", "/subscribers"),
    ("DELETE", "/subscribers/{id}"),
];

async fn a_client_of_cachet_keeps_working(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme, time_zone: UTC }\n", &[]).await?;
    let token = app.command(&["token", "create", "--name", "scripts", "--scope", "*"])?;
    let endpoint = format!("{}/api/v1", app.base);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(PYTHON);
    let variables = [("CACHET", endpoint.as_str()), ("CACHET_TOKEN", token.trim())];
    let printed = app.program(&python.display().to_string(), &["-c", include_str!("cachet.py")], &variables)?;
    ensure!(printed.trim() == "done", "{printed}");
    let acts = app.admin_list("/audit").await?;
    ensure!(acts.iter().any(|act| act["action"].as_str().is_some_and(|action| action.starts_with("incident"))), "{acts:?}");
    app.finish().await
}

async fn what_does_not_fit_is_refused_in_the_shape_that_clients_know(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme }\ncomponents: [{ key: api, name: API }]\n", &[]).await?;
    let reader = app.command(&["token", "create", "--name", "reader", "--scope", "components:read"])?;
    let all = app.command(&["token", "create", "--name", "all", "--scope", "*"])?;
    let ask = async |method: Method, path: &str, token: Option<&str>, body: &Value| -> Result<(StatusCode, Value)> {
        loop {
            let mut request = app.http.request(method.clone(), format!("{}/api/v1{path}", app.base)).json(body);
            if let Some(token) = token {
                request = request.header("X-Cachet-Token", token.trim());
            }
            let answer = request.send().await?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok((answer.status(), serde_json::from_str(&answer.text().await?).unwrap_or_default()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let revoked = app.command(&["token", "create", "--name", "revoked", "--scope", "*"])?;
    let id = app.admin_list("/tokens").await?.iter().find(|token| token["name"] == "revoked").and_then(|token| token["id"].as_i64());
    let gone =
        app.http.delete(format!("{}/api/admin/v1/tokens/{}", app.base, id.context("a token")?)).bearer_auth(all.trim()).send().await?;
    ensure!(gone.status() == 204, "{}", gone.status());
    // Whether there is such a thing is told to nobody who may not change it.
    let mut refused = vec![];
    for (method, path) in WRITES {
        refused.extend(["1", "999"].map(|id| (method, path.replace("{id}", id), None, 401)));
        refused.extend(["1", "999"].map(|id| (method, path.replace("{id}", id), Some(reader.as_str()), 403)));
    }
    // Only few, or the address is told to wait.
    for id in ["1", "999"] {
        refused.extend(["fanal_nobody", &revoked].map(|token| ("PUT", format!("/incidents/{id}"), Some(token), 401)));
    }
    for (method, path, token, status) in &refused {
        let (answered, body) = ask(method.parse()?, path, *token, &json!({ "name": "Shop", "status": 1 })).await?;
        ensure!(answered == *status && body["errors"][0]["status"] == *status, "{method} {path} {token:?}: {answered} {body}");
    }
    let (status, body) = ask(Method::POST, "/components", Some(&all), &json!({ "name": "Shop", "status": 1 })).await?;
    ensure!(status == 200 && body["data"]["name"] == "Shop", "{status} {body}");
    let (status, body) =
        ask(Method::POST, "/incidents", Some(&all), &json!({ "status": 9, "component_id": 99, "component_status": 1 })).await?;
    let details = json!(["The name field is required.", "The selected status is invalid.", "The component 99 does not exist."]);
    ensure!(status == 400 && body["errors"][0]["meta"]["details"] == details, "{status} {body}");
    let (status, body) = ask(Method::PUT, "/components/1", Some(&all), &json!({ "name": "x".repeat(201) })).await?;
    ensure!(status == 400 && body["errors"][0]["meta"]["details"][0].as_str().is_some_and(|text| text.starts_with("name: ")), "{body}");
    for (method, path, wanted) in [
        (Method::GET, "/components/99", 404),
        (Method::GET, "/components/one", 404),
        (Method::GET, "/nothing", 404),
        (Method::PUT, "/components/99", 404),
        (Method::PATCH, "/components/1", 405),
        (Method::GET, "/subscribers", 200),
    ] {
        let (status, body) = ask(method, path, Some(&all), &json!({ "name": "Y" })).await?;
        ensure!(status == wanted, "{path}: {status} {body}");
    }
    let nobody = app.http.get(format!("{}/api/v1/subscribers", app.base)).send().await?;
    ensure!(nobody.status() == 401, "who is told what is not for strangers");
    let picture = app.http.get(format!("{}/api/v1/ping", app.base)).header("accept", "image/png").send().await?;
    ensure!(picture.status() == 406);
    // A filter is a value and nothing else (CVE-2021-39165).
    let listed = app.http.get(format!("{}/api/v1/components?name[0]=1&1[0]=1&1[1]=%3D&1[2]=1%20or%201%3D1&id=0%20or%201", app.base));
    let listed: Value = serde_json::from_str(&listed.send().await?.text().await?)?;
    ensure!(listed["data"] == json!([]), "{listed}");
    app.finish().await
}

on_every_stack!(a_client_of_cachet_keeps_working, what_does_not_fit_is_refused_in_the_shape_that_clients_know);
