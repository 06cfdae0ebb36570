//! What was wrong with other status pages, tried from outside on the whole instance. The table of all of them, with the tests of each, is
//! `docs/security/past-vulnerabilities.md`.

mod outbound;
mod sources;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    app::{App, Stack, on_every_stack},
    road::configuration,
};

const NOWHERE: &str = "http://127.0.0.1:9/in";

async fn status_and_body(app: &App, path: &str, token: Option<&str>) -> Result<(u16, String)> {
    let mut request = app.http.get(format!("{}{path}", app.base));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Cachet: a list of parameters instead of one reached the database as part of a statement.
async fn cve_2021_39165_parameters_in_lists_change_nothing(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(NOWHERE), &[]).await?;
    let token = app.command(&["token", "create", "--name", "vulnerabilities", "--scope", "*"])?;
    let many = (0..1_000).map(|i| format!("k{i}=1")).collect::<Vec<_>>().join("&");
    let queries = [
        "name=1&1[0]=&1[1]=a&1[2]=&1[3]=or%20%27a%27=%27a%27",
        "filter[name][0]=a&filter[name][1]=b",
        "limit[]=1",
        "limit=1&limit=2",
        "sort=id;drop%20table%20component&order=desc",
        "sort=(select%20pg_sleep(5))",
        "limit=1%27%20or%20%271%27=%271",
        "cursor=%27--",
        many.as_str(),
    ];
    let public = ["/api/v2/components.json", "/api/v2/summary.json", "/api/v2/incidents.json"];
    for path in public {
        let plain: Value = serde_json::from_str(&status_and_body(&app, path, None).await?.1)?;
        for query in queries {
            let (status, body) = status_and_body(&app, &format!("{path}?{query}"), None).await?;
            ensure!(status == 200 || status == 400 || status == 414 || status == 431, "{path}?{query}: {status}");
            if status == 200 {
                let same: Value = serde_json::from_str(&body)?;
                ensure!(same["components"] == plain["components"], "{path}?{query} gives something else");
            }
        }
    }
    for path in ["/components", "/deliveries", "/audit", "/notifications", "/subscribers"] {
        for query in queries {
            let (status, body) = status_and_body(&app, &format!("/api/admin/v1{path}?{query}"), Some(token.trim())).await?;
            ensure!(matches!(status, 400 | 414 | 429 | 431), "{path}?{query}: {status} {body}");
        }
    }
    ensure!(app.admin_list("/components").await?.len() == 2);
    app.finish().await
}

/// Cachet: what looked like a variable was replaced by the secret of that name.
async fn cve_2021_39174_what_looks_like_a_variable_is_shown_as_it_is(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(NOWHERE), &[]).await?;
    let key = app.setting("FANAL_SECRET_KEY").unwrap_or_default().to_owned();
    let texts = ["${FANAL_SECRET_KEY}", "$(id)", "{{ env }}", "{{ 1000003 * 1000003 }}"];
    let name = texts.join(" ");
    let id = app.admin_list("/components").await?[0]["id"].clone();
    app.admin_send(reqwest::Method::PATCH, &format!("/components/{id}"), &json!({ "name": name })).await?;
    app.wait_for_status(&name, "operational").await?;
    for path in ["/", "/api/v2/components.json"] {
        let (_, body) = status_and_body(&app, path, None).await?;
        for text in texts {
            ensure!(body.contains(text), "{path} lacks {text}");
        }
        ensure!(!body.contains(&key) && !body.contains("uid=") && !body.contains("1000006000009"), "{path} computes");
    }
    app.finish().await
}

/// Sends bytes that no client would write, and returns all that comes back.
async fn raw(app: &App, request: &str) -> Result<String> {
    let mut connection = TcpStream::connect(app.base.trim_start_matches("http://")).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), connection.read_to_end(&mut answer)).await??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Uptime Kuma, `OneUptime`: a path that climbed out of its folder gave away files.
async fn cve_2026_30958_no_path_leads_out(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(NOWHERE), &[]).await?;
    let climbs = [
        "../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e%5c%2e%2e%5cetc%5cpasswd",
        "%00",
        "..%252f..%252fetc%252fpasswd",
        "....//etc/passwd",
    ];
    for folder in [
        "",
        "assets/",
        "components/",
        "incidents/",
        "subscriptions/",
        "hooks/",
        "ping/",
        "api/v2/",
        "api/admin/",
        "console/",
        ".well-known/",
    ] {
        for climb in climbs {
            let request = format!("GET /{folder}{climb} HTTP/1.1\r\nHost: status.example.com\r\nConnection: close\r\n\r\n");
            let answer = raw(&app, &request).await?;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            ensure!(matches!(status, "400" | "401" | "403" | "404" | "405" | "303"), "/{folder}{climb}: {answer}");
            ensure!(!answer.contains("root:") && !answer.contains("SECRET"), "/{folder}{climb}: {answer}");
        }
    }
    app.finish().await
}

/// A message whose end can be seen in two places is refused, so that no proxy in front of us hides a second request in it.
async fn what_says_two_lengths_is_not_read_twice(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(NOWHERE), &[]).await?;
    let hidden = "0\r\n\r\nGET /badge.svg HTTP/1.1\r\nHost: status.example.com\r\n\r\n";
    for lines in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: -1",
        "Content-Length : 5",
        "Content-Length: 5\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\u{b}: chunked",
    ] {
        let answer = raw(&app, &format!("POST /hooks/nothing HTTP/1.1\r\nHost: status.example.com\r\n{lines}\r\n\r\n{hidden}")).await?;
        ensure!(answer.starts_with("HTTP/1.1 400") && answer.matches("HTTP/1.1").count() == 1, "{lines}: {answer}");
    }
    // Where both are there the chunks count, as the standard says, and not the length: nobody waits for what is missing.
    let both = "POST /hooks/nothing HTTP/1.1\r\nHost: status.example.com\r\nConnection: close\r\nContent-Length: 500\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = raw(&app, both).await?;
    ensure!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 400"), "{answer}");
    app.finish().await
}

on_every_stack!(
    cve_2021_39165_parameters_in_lists_change_nothing,
    cve_2021_39174_what_looks_like_a_variable_is_shown_as_it_is,
    cve_2026_30958_no_path_leads_out,
    what_says_two_lengths_is_not_read_twice,
);
