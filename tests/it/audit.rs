//! The audit log of the whole instance: everything that is done stands in it, and what is changed in it is noticed.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::{
    app::{App, Stack, on_every_stack},
    road::configuration,
};

const NOWHERE: &str = "http://127.0.0.1:9/in";

async fn rename(app: &App, id: &Value, i: usize) -> Result<()> {
    app.admin_send(reqwest::Method::PATCH, &format!("/components/{id}"), &json!({ "name": format!("API {i}") })).await?;
    Ok(())
}

fn refuses(app: &App) -> Result<String> {
    match app.command(&["verify-audit"]) {
        Ok(said) => anyhow::bail!("it found nothing: {said}"),
        Err(error) => Ok(error.to_string()),
    }
}

/// Acts of two processes, of the command line and of nobody end up in one log without a gap.
async fn acts_of_all_processes_make_one_log_that_proves_itself(stack: Stack) -> Result<()> {
    let syslog = UdpSocket::bind("127.0.0.1:0").await?;
    let sink = ("FANAL_AUDIT_SINK", format!("syslog+udp://{}", syslog.local_addr()?));
    let app = App::start(stack, &configuration(NOWHERE), &[sink]).await?;
    let other = app.beside().await?;
    let id = app.admin_list("/components").await?[0]["id"].clone();
    let acts = (0..20).map(|i| {
        let (app, id) = (if i % 2 == 0 { &app } else { &other }, &id);
        rename(app, id, i)
    });
    futures::future::try_join_all(acts).await?;
    app.command(&["replay"]).ok();
    let verified = app.command(&["verify-audit"])?;
    let noted = verified.trim().rsplit(' ').next().context("what to note")?;
    app.command(&["verify-audit", "--expect", noted])?;
    let rows = app.admin_list("/audit").await?;
    let n = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
    ensure!((n("component.update"), n("configuration.apply"), n("process.start")) == (20, 1, 2), "{rows:?}");
    ensure!(n("state.replay") == 1 && n("token.create") >= 1);
    let ids: Vec<i64> = rows.iter().filter_map(|row| row["id"].as_i64()).collect();
    let n_rows = i64::try_from(ids.len())?;
    ensure!(ids == (1..=n_rows).rev().collect::<Vec<_>>(), "{ids:?}");
    let mut buffer = vec![0; 65_536];
    for i in 1..=n_rows {
        let received = tokio::time::timeout(std::time::Duration::from_secs(20), syslog.recv(&mut buffer)).await??;
        let message = String::from_utf8_lossy(&buffer[..received]).into_owned();
        ensure!(message.starts_with("<109>1 ") && message.contains(&format!("[fanal@32473 id=\"{i}\"")), "{message}");
    }
    app.finish().await
}

/// Whoever has the database and not the key cannot make the log say something else.
async fn what_is_changed_in_the_log_is_noticed(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(NOWHERE), &[]).await?;
    let id = app.admin_list("/components").await?[0]["id"].clone();
    for i in 0..4 {
        rename(&app, &id, i).await?;
    }
    app.command(&["verify-audit"])?;
    let n: i64 = app.sql("select max(audit_id) from audit").await?.parse()?;
    for row in 1..=n {
        app.sql(&format!("update audit set at = at + 1 where audit_id = {row}")).await?;
        ensure!(refuses(&app)?.contains(&format!("row {row} was changed")));
        app.sql(&format!("update audit set at = at - 1 where audit_id = {row}")).await?;
    }
    app.sql(&format!("update audit set audit_id = -audit_id where audit_id in ({n}, {n} - 1)")).await?;
    app.sql(&format!("update audit set audit_id = {n} + {n} - 1 + audit_id where audit_id < 0")).await?;
    ensure!(refuses(&app)?.contains("was changed"), "two rows have changed places");
    app.sql(&format!("update audit set audit_id = -audit_id where audit_id in ({n}, {n} - 1)")).await?;
    app.sql(&format!("update audit set audit_id = {n} + {n} - 1 + audit_id where audit_id < 0")).await?;
    app.command(&["verify-audit"])?;
    app.sql(&format!("delete from audit where audit_id = {n}")).await?;
    ensure!(refuses(&app)?.contains(&format!("row {n} is missing")));
    app.sql(&format!("update audit_head set last_id = {n} - 1, last_hash = (select hash from audit where audit_id = {n} - 1)")).await?;
    ensure!(refuses(&app)?.contains("not sealed"), "the head was changed to fit");
    // The team is not locked out, and what happened stays known.
    rename(&app, &id, 9).await?;
    ensure!(refuses(&app)?.contains("may be missing or false"));
    app.finish().await
}

on_every_stack!(acts_of_all_processes_make_one_log_that_proves_itself, what_is_changed_in_the_log_is_noticed);
