//! Commands that look, that fill and that prepare: what they must not touch.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    app::{App, Stack, on_every_stack},
    servers::{folder::Folder, http_client, spare_port, wait_for},
};

/// The binary in a folder of its own, with further settings; gives whether it ended well, and what it printed.
fn fanal(folder: &Folder, arguments: &[&str], settings: &[(&str, String)]) -> Result<(bool, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanal"));
    command.args(arguments).env("FANAL_DATA_DIR", folder.path().join("data")).envs(settings.iter().cloned());
    let output = command.output()?;
    Ok((output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
}

#[test]
fn doctor_makes_nothing_where_nothing_is() -> Result<()> {
    let folder = Folder::new("doctor")?;
    let (well, said) = fanal(&folder, &["doctor"], &[])?;
    ensure!(well && said.contains("fanal.db yet"), "{said}");
    ensure!(!folder.path().join("data").exists(), "a folder that was mistyped is not made");

    fanal(&folder, &["migrate"], &[])?;
    let (well, said) = fanal(&folder, &["doctor"], &[])?;
    ensure!(!well && said.contains("secret.key") && said.contains("1 thing to mend"), "a key that is gone is not made anew: {said}");
    ensure!(!folder.path().join("data/secret.key").exists());
    Ok(())
}

#[test]
fn doctor_says_what_does_not_fit() -> Result<()> {
    let folder = Folder::new("doctor")?;
    let smtp = || ("FANAL_SMTP_URL", format!("smtp://127.0.0.1:{}", spare_port().unwrap_or(1)));
    let from = || ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned());
    for (settings, wanted) in [
        (vec![smtp()], "wrong  FANAL_SMTP_URL: FANAL_MAIL_FROM is needed"),
        (vec![smtp(), from()], "wrong  FANAL_SMTP_URL: "),
        (vec![("FANAL_SMTP_URL", "nonsense".to_owned()), from()], "wrong  FANAL_SMTP_URL: "),
        (vec![smtp(), from(), ("FANAL_DKIM_DOMAIN", "acme.example".to_owned())], "are needed together"),
        (vec![("FANAL_AUDIT_SINK", "https://siem.example.com/in".to_owned())], "FANAL_AUDIT_WEBHOOK_SECRET is needed"),
        (vec![("FANAL_BASE_URL", "ftp://status.example.com".to_owned())], "wrong  FANAL_BASE_URL: "),
    ] {
        let (well, said) = fanal(&folder, &["doctor"], &settings)?;
        ensure!(!well && said.contains(wanted), "{settings:?}: {said}");
    }
    Ok(())
}

#[test]
fn the_demo_replaces_nothing() -> Result<()> {
    let folder = Folder::new("demo")?;
    let file = folder.path().join("fanal.yaml");
    std::fs::write(&file, "page: { name: Acme }\ncomponents: [{ key: api, name: API }]\n")?;
    ensure!(fanal(&folder, &["apply", "-f", &file.display().to_string()], &[])?.0);
    let database = format!("sqlite://{}", folder.path().join("data/fanal.db").display());
    let (well, said) = fanal(&folder, &["demo"], &[("FANAL_DATABASE_URL", database)])?;
    ensure!(!well && said.contains("which the demo would replace"), "{said}");
    ensure!(fanal(&folder, &["export"], &[])?.1.contains("Acme"), "everything is there");
    Ok(())
}

#[test]
fn whoever_only_looks_makes_nothing_and_is_told_what_would_be_made() -> Result<()> {
    let folder = Folder::new("plan")?;
    let file = folder.path().join("fanal.yaml");
    let hook = "integrations: [{ key: hook, provider: alertmanager, secrets: [{ value: a-long-secret-of-the-tests }] }]";
    std::fs::write(&file, format!("page: {{ name: Acme }}\ncomponents: [{{ key: api, name: API }}]\n{hook}\n"))?;
    let path = file.display().to_string();
    let (well, nothing) = fanal(&folder, &["plan", "-f", &path], &[])?;
    ensure!(well && nothing.contains("There is no database yet") && nothing.contains("api"), "{nothing}");
    let (well, exported) = fanal(&folder, &["export"], &[])?;
    ensure!(well && exported.contains("There is no database yet") && exported.contains("name: Status"), "{exported}");
    ensure!(!folder.path().join("data").exists(), "nothing is made, no key either");

    ensure!(fanal(&folder, &["migrate"], &[])?.0);
    let (well, empty) = fanal(&folder, &["plan", "-f", &path], &[])?;
    let plan = |said: &str| said.lines().filter(|line| !line.contains("There is no database")).collect::<Vec<_>>().join("\n");
    ensure!(well && plan(&empty) == plan(&nothing), "an empty database is like none:\n{empty}\n{nothing}");
    ensure!(fanal(&folder, &["apply", "-f", &path], &[])?.0);
    let (well, again) = fanal(&folder, &["plan", "-f", &path], &[])?;
    ensure!(well && !again.contains('+') && !again.contains('~'), "{again}");
    Ok(())
}

/// A schema of before is left as it is, and whoever asked is told what to do.
async fn a_schema_of_before_is_not_brought_up_to_date_by_looking(stack: Stack) -> Result<()> {
    let mut app = App::start(stack, "page: { name: Acme, time_zone: UTC }\n", &[]).await?;
    app.kill()?;
    let newest = "(select max(version) from _sqlx_migrations)";
    let versions = "select count(*) from _sqlx_migrations";
    let before: usize = app.sql(versions).await?.parse()?;
    let version = app.sql(&format!("select version from _sqlx_migrations where version = {newest}")).await?;
    app.sql(&format!("create table kept as select * from _sqlx_migrations where version = {version}")).await?;
    app.sql(&format!("delete from _sqlx_migrations where version = {version}")).await?;
    for command in [vec!["export"], vec!["plan", "-f", "-"]] {
        let said = app.command(&command).map_or_else(|error| error.to_string(), |said| format!("it did: {said}"));
        ensure!(said.contains("run `fanal migrate` first"), "{command:?}: {said}");
    }
    ensure!(app.sql(versions).await?.parse::<usize>()? == before - 1, "nothing was brought up to date");
    app.sql("insert into _sqlx_migrations select * from kept").await?;
    app.sql("drop table kept").await?;
    ensure!(app.command(&["export"])?.contains("Acme"));
    app.serve().await?;
    app.finish().await
}

on_every_stack!(a_schema_of_before_is_not_brought_up_to_date_by_looking);

/// As `fanal demo | head` leaves it.
#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() -> Result<()> {
    let folder = Folder::new("stderr")?;
    let (listen, ops) = (spare_port()?, spare_port()?);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanal"));
    command.arg("serve").env("FANAL_DATA_DIR", folder.path().join("data")).stdout(Stdio::null()).stderr(Stdio::piped());
    command.env("FANAL_LISTEN", format!("127.0.0.1:{listen}")).env("FANAL_OPS_LISTEN", format!("127.0.0.1:{ops}"));
    let mut fanal = command.spawn()?;
    drop(fanal.stderr.take());
    let http = http_client();
    let ready = format!("http://127.0.0.1:{ops}/readyz");
    let is_ready = || async { http.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200).then_some(()) };
    let began = wait_for("fanal without a reader", Duration::from_secs(60), is_ready).await;
    Command::new("kill").args(["-s", "TERM", &fanal.id().to_string()]).status()?;
    let mut ended = false;
    for _ in 0..200 {
        ended = ended || fanal.try_wait()?.is_some();
        tokio::time::sleep(Duration::from_millis(if ended { 0 } else { 50 })).await;
    }
    let _ = fanal.kill();
    began?;
    ensure!(ended, "it still runs, ten seconds after it was told to stop");
    Ok(())
}

#[test]
fn several_may_bring_a_new_database_up_to_date_at_once() -> Result<()> {
    let folder = Folder::new("migrate")?;
    let run = || fanal(&folder, &["migrate"], &[]);
    let all: Result<Vec<(bool, String)>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..6).map(|_| scope.spawn(run)).collect();
        running.into_iter().map(|one| one.join().unwrap_or_else(|_| anyhow::bail!("it panicked"))).collect()
    });
    for (well, said) in all? {
        ensure!(well, "{said}");
    }
    Ok(())
}
