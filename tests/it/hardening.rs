//! What the hardening guide tells people to type, typed: then it must work, and keep out what it says it keeps out.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{
    app::{App, Stack, run},
    road::{alert, configuration, deliver, now},
    servers::{folder::Folder, postgres::Postgres, redis::Redis, webhooks::WebhookServer},
};

/// The blocks of one language in the guide, in order.
fn blocks(language: &str) -> Result<Vec<String>> {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hardening.md"))?;
    let fence = format!("```{language}\n");
    let parts = guide.split(&fence).skip(1);
    Ok(parts.filter_map(|part| part.split_once("\n```")).map(|(block, _)| block.to_owned()).collect())
}

/// What the serving role must not be able to do: to the schema, to the log, to other roles, to the server.
const FORBIDDEN: [&str; 18] = [
    "create table mine (x int)",
    "create temporary table mine (x int)",
    "create schema mine",
    "create function mine() returns int language sql as 'select 1'",
    "create extension pg_trgm",
    "drop table component",
    "truncate component",
    "alter table component add column mine int",
    "create index mine on component (name)",
    "create trigger mine after insert on component execute function apalis.notify_new_jobs()",
    "update audit set name_mark = ''",
    "truncate audit",
    "delete from _sqlx_migrations",
    "update apalis._sqlx_migrations set success = false",
    "drop schema apalis cascade",
    "set role fanal_owner",
    "alter role fanal_app createdb",
    "copy (select 1) to program 'true'",
];

/// An instance that tells an endpoint what happens, and nobody by mail.
fn telling(webhooks: &WebhookServer) -> String {
    configuration(&webhooks.url()).replace("  - { channel: email, address: ops@example.com }\n", "")
}

async fn takes_a_webhook(app: &App, webhooks: &WebhookServer) -> Result<()> {
    ensure!(deliver(app, &alert("h1", &now(), None)).await? == 202);
    app.wait_for_status("API", "major_outage").await?;
    // The incident and the status go through the queue.
    webhooks.wait_for_requests(2, Duration::from_secs(20)).await?;
    app.command(&["verify-audit"])?;
    app.command(&["doctor"])?;
    app.finish().await
}

async fn on_the_roles_of_the_guide(postgres: &Postgres) -> Result<()> {
    let sql = blocks("sql")?;
    let [in_postgres, before, after] = sql.as_slice() else { anyhow::bail!("three blocks of SQL: {sql:?}") };
    // One by one, as a person would type them: no database can be made within a transaction of many.
    for statement in in_postgres.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        postgres.query("postgres", statement).await?;
    }
    postgres.query("fanal", before).await?;
    let (owner, app) = (postgres.url_as("fanal_owner", "fanal"), postgres.url_as("fanal_app", "fanal"));
    let migrate = |url: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_fanal")).args(["migrate"]).env("FANAL_DATABASE_URL", url).output()?;
        Ok::<_, anyhow::Error>((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (done, said) = migrate(&app)?;
    ensure!(!done && said.contains("fanal migrate"), "the serving role makes nothing, and says who does: {said}");
    let (done, said) = migrate(&owner)?;
    ensure!(done, "{said}");
    postgres.query("fanal", after).await?;
    for statement in FORBIDDEN {
        let refused = postgres.query_as("fanal_app", "fanal", statement).await;
        let why = refused.err().with_context(|| format!("the serving role may `{statement}`"))?.to_string();
        ensure!(["permission denied", "must be owner", "must be superuser"].iter().any(|word| why.contains(word)), "{why}");
    }
    ensure!(postgres.query_as("fanal_app", "postgres", "create table mine (x int)").await.is_err());
    let webhooks = WebhookServer::start().await?;
    let app = App::start(Stack::Sqlite, &telling(&webhooks), &[("FANAL_DATABASE_URL", app)]).await?;
    takes_a_webhook(&app, &webhooks).await?;
    // A second look at the schema, by the owner, changes nothing, and the server goes on.
    ensure!(migrate(&owner)?.0);
    app.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_makes_roles_that_do() -> Result<()> {
    // Roles belong to a whole cluster.
    let postgres = Postgres::start().await?;
    run(on_the_roles_of_the_guide(&postgres)).await
}

/// What a database lets its roles do, as far as it is told: everything that the guide's SQL sets.
async fn privileges(postgres: &Postgres) -> Result<String> {
    let sql = "select string_agg(line, E'\\n' order by line) from (
        select format('%s %s %s', d.defaclrole::regrole, d.defaclobjtype, d.defaclacl) as line from pg_default_acl d
        union all select format('%s %s %s', n.nspname, n.nspowner::regrole, n.nspacl) from pg_namespace n where n.nspname = 'public'
        union all select format('%s %s %s', d.datname, d.datdba::regrole, d.datacl) from pg_database d where d.datname = 'fanal'
        union all select format('%s %s %s %s', r.rolname, r.rolsuper, r.rolcreatedb, r.rolcreaterole) from pg_roles r where r.rolname like 'fanal%'
    ) lines";
    postgres.query("fanal", sql).await
}

/// The container's database is made by a script that holds the same statements.
#[tokio::test(flavor = "multi_thread")]
async fn the_containers_roles_are_those_of_the_guide() -> Result<()> {
    let (guide, container) = (Postgres::start().await?, Postgres::start().await?);
    let sql = blocks("sql")?;
    for statement in sql[0].split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        guide.query("postgres", statement).await?;
    }
    guide.query("fanal", &sql[1]).await?;
    let secrets = Folder::new("secrets")?;
    for name in ["owner_password", "app_password"] {
        std::fs::write(secrets.path().join(name), "it's a \\ password")?;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/container/make-roles");
    let mut command = Command::new("sh");
    command
        .arg(script)
        .env("SECRETS", secrets.path())
        .env("PATH", container.path())
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", container.port().to_string());
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(privileges(&container).await? == privileges(&guide).await?);
    Ok(())
}

async fn on_the_user_of_the_guide(redis: &Redis) -> Result<()> {
    let blocks = blocks("redis")?;
    let url = redis.database();
    let mut conn = redis::Client::open(url.as_str())?.get_multiplexed_async_connection().await?;
    let mut words = blocks[0].split_whitespace();
    let mut command = redis::cmd(words.next().context("a command")?);
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async::<()>(&mut conn).await?;
    redis::cmd("SET").arg("others:key").arg(1).query_async::<()>(&mut conn).await?;

    let url = url.replace("redis://", "redis://fanal:choose-a-password@");
    let mut theirs = redis::Client::open(url.as_str())?.get_multiplexed_async_connection().await?;
    for forbidden in
        ["GET others:key", "SET others:key 2", "PUBLISH others x", "FLUSHALL", "KEYS *", "CONFIG GET *", "ACL WHOAMI", "SHUTDOWN NOSAVE"]
    {
        let mut words = forbidden.split(' ');
        let mut command = redis::cmd(words.next().context("a command")?);
        words.for_each(|word| {
            command.arg(word);
        });
        let refused = command.query_async::<redis::Value>(&mut theirs).await;
        let why = refused.err().with_context(|| format!("the user may `{forbidden}`"))?.to_string();
        ensure!(why.contains("NOPERM") || why.to_lowercase().contains("permission"), "{forbidden}: {why}");
    }
    let webhooks = WebhookServer::start().await?;
    let app = App::start(Stack::Postgres, &telling(&webhooks), &[("FANAL_QUEUE_URL", url)]).await?;
    takes_a_webhook(&app, &webhooks).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_makes_a_user_of_redis_that_does() -> Result<()> {
    let redis = Redis::start().await?;
    run(on_the_user_of_the_guide(&redis)).await
}
