//! The samples of use in `docs/api.md`, run as they stand there.

use std::collections::HashMap;

use anyhow::{Context as _, Result, anyhow, ensure};
use hcl::{
    Attribute, Block, Body, Expression, Value,
    eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType},
};

use crate::app::{App, Stack, on_every_stack};

const DOCUMENT: &str = include_str!("../../docs/api.md");
/// Stands for one's own instance there.
const INSTANCE: &str = "https://status.example.com";

/// The blocks of the document in a language, one after the other.
fn blocks(language: &str) -> String {
    let fence = format!("```{language}\n");
    let blocks = DOCUMENT.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

/// What a program in the document leaves behind is what the document says of it, also when it runs twice.
async fn programs_do_what_the_document_says(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme }\n", &[]).await?;
    let shell = format!("set -eu\n{}\nprintf '\\ntoken=%s\\n' \"$FANAL_TOKEN\"\n", blocks("sh").replace(INSTANCE, &app.base));
    let printed = app.program("bash", &["-c", &shell], &[])?;
    let token = printed.lines().find_map(|line| line.strip_prefix("token=")).context("a token")?;
    let components = app.admin_list("/components").await?;
    ensure!(components.len() == 1 && components[0]["description"] == "Cards and vouchers", "{components:?}");
    ensure!(components[0]["override"].is_null() && components[0]["status"] == "operational", "the override is over: {components:?}");
    let maintenances = app.admin_list("/maintenances").await?;
    ensure!(maintenances.len() == 1 && maintenances[0]["title"] == "A new database", "{maintenances:?}");

    let variables = [("FANAL", app.base.as_str()), ("FANAL_TOKEN", token)];
    let python = blocks("python");
    let run = || app.program("/usr/bin/python3", &["-c", &python, "bank"], &variables);
    let (first, second) = (run()?, run()?);
    ensure!(first == second, "the second time is the first one again: {first} {second}");
    let incidents = app.admin_list("/incidents").await?;
    ensure!(incidents.len() == 1 && incidents[0]["status"] == "resolved", "{incidents:?}");
    let incident = app.admin(&format!("/incidents/{}", first.trim())).await?;
    ensure!(incident["updates"].as_array().is_some_and(|updates| updates.len() == 3), "{incident}");

    let lesson = serde_json::json!({ "body": "The bank adds a second line." });
    app.admin_send(reqwest::Method::PUT, &format!("/incidents/{}/postmortem", first.trim()), &lesson).await?;
    app.admin_post(&format!("/incidents/{}/postmortem/publish", first.trim()), &serde_json::json!({})).await?;
    ensure!(terraform(&app, token).await?, "nothing is open");
    app.admin_post("/incidents", &serde_json::json!({ "title": "Down" })).await?;
    ensure!(!terraform(&app, token).await?, "an open incident stops the plan");
    app.finish().await
}

/// Does what Terraform does with the sample's data source: asks, and evaluates the conditions; tells whether they hold.
async fn terraform(app: &App, token: &str) -> Result<bool> {
    let body: Body = hcl::parse(&blocks("hcl"))?;
    let source = body.blocks().find(|block| block.identifier() == "data").context("a data source")?;
    ensure!(source.labels().first().is_some_and(|label| label.as_str() == "http"), "of the `http` provider");
    let mut context = Context::new();
    context.declare_var("var", hcl::value!({ "fanal" = (app.base.as_str()), "fanal_token" = (token) }));
    let url = attribute(source, "url")?.evaluate(&context)?;
    let mut request = app.http.get(url.as_str().context("a URL")?);
    let headers = attribute(source, "request_headers")?.evaluate(&context)?;
    for (name, value) in headers.as_object().context("headers")? {
        request = request.header(name, value.as_str().context("a header")?);
    }
    let answer = request.send().await?;
    let (status, text) = (answer.status().as_u16(), answer.text().await?);
    ensure!(status == 200, "{status} {text}");
    context.declare_var("self", hcl::value!({ "status_code" = (status), "response_body" = (text) }));
    context.declare_func("jsondecode", FuncDef::builder().param(ParamType::String).build(json_decode));
    context.declare_func("alltrue", FuncDef::builder().param(ParamType::array_of(ParamType::Bool)).build(all_true));
    let lifecycle = source.body().blocks().find(|block| block.identifier() == "lifecycle").context("a lifecycle")?;
    let conditions: Vec<bool> = lifecycle
        .body()
        .blocks()
        .map(|check| attribute(check, "condition")?.evaluate(&context)?.as_bool().context("a condition"))
        .collect::<Result<_>>()?;
    ensure!(conditions.len() == 2, "both conditions");
    Ok(conditions.into_iter().all(|holds| holds))
}

fn attribute<'a>(block: &'a Block, name: &str) -> Result<&'a Expression> {
    let named: HashMap<&str, &Attribute> = block.body().attributes().map(|attribute| (attribute.key(), attribute)).collect();
    named.get(name).map(|attribute| attribute.expr()).ok_or_else(|| anyhow!("no `{name}` in `{}`", block.identifier()))
}

fn json_decode(args: FuncArgs) -> Result<Value, String> {
    serde_json::from_str(args[0].as_str().unwrap_or_default()).map_err(|error| error.to_string())
}

fn all_true(args: FuncArgs) -> Result<Value, String> {
    Ok(Value::Bool(args[0].as_array().is_some_and(|values| values.iter().all(|value| value == &Value::Bool(true)))))
}

on_every_stack!(programs_do_what_the_document_says);
