//! `/console/audit`: who did what, what was before and after, and whether the log is what was written.

use askama::Template;
use domain::Resource;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::Value;
use storage::audit::{self, Filter};

use super::{
    Console,
    acts::Acts,
    failure::Failure,
    form::Errors,
    frame::{Frame, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Typed, address, pretty},
    zone::from_field,
};
use crate::admin::{AuditFormat, export_audit};

const PATH: &str = "/console/audit";
/// People whose names are offered.
const N_PEOPLE: &str = "200";

pub(super) fn routes(table: Table) -> Table {
    let look = Needs::read(Resource::Audit);
    table.get(PATH, look, list).post("/console/audit/verify", look, verify).get("/console/audit/export", look, export).get(
        "/console/audit/:id",
        look,
        one,
    )
}

/// The conditions of a list, as they were typed, and what is wrong with them.
struct Conditions {
    fields: [(&'static str, String); 5],
    filter: Filter,
    errors: Errors,
}

impl Conditions {
    fn new(typed: &Typed) -> Self {
        let mut errors = Errors::default();
        let mut at = |field: &'static str| {
            let text = typed.given(field)?;
            let at = from_field(text);
            if at.is_none() {
                errors.add(field, "This is not a time like 2026-12-31T23:59.");
            }
            at
        };
        let (from, to) = (at("from"), at("to"));
        let text = |field: &str| typed.given(field).map(str::to_owned);
        let filter = Filter { actor: text("actor"), action: text("action"), resource: text("resource"), from, to };
        let fields = ["actor", "action", "resource", "from", "to"].map(|field| (field, typed.text(field).to_owned()));
        Self { fields, filter, errors }
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Where the operation of the same name has them.
    fn path(&self, cursor: &str) -> String {
        let Filter { actor, action, resource, from, to } = &self.filter;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let at = |at: &Option<domain::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let (actor, action, resource, from, to) = (text(actor), text(action), text(resource), at(from), at(to));
        address(
            "/audit",
            &[("actor", &actor), ("action", &action), ("resource", &resource), ("from", &from), ("to", &to), ("cursor", cursor)],
        )
    }

    fn export(&self, format: &str) -> String {
        address("/console/audit/export", &[&self.pairs()[..], &[("format", format)]].concat())
    }
}

/// What a look at the whole log said.
enum Verdict {
    Whole { n: i64, last_id: i64, hash: String },
    Broken(String),
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct List<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    errors: &'a Errors,
    rows: &'a [Value],
    people: &'a [Value],
    pager: Pager,
    csv: String,
    ndjson: String,
    verdict: Option<Verdict>,
}

impl List<'_> {
    /// The list of what has this in common.
    fn only(&self, field: &str, value: &str) -> String {
        address(PATH, &[(field, value)])
    }

    fn is_narrow(&self) -> bool {
        ["actor", "action", "resource", "from", "to"].iter().any(|field| self.typed.given(field).is_some())
    }
}

async fn page(frame: &Frame, acts: &Acts, typed: &Typed, verdict: Option<Verdict>) -> Result<Response, Failure> {
    let conditions = Conditions::new(typed);
    let is_wrong = !conditions.errors.is_empty();
    let listed = if is_wrong { Value::Null } else { acts.get(&conditions.path(typed.text("cursor"))).await? };
    let people = acts.get(&address("/users", &[("limit", N_PEOPLE)])).await?;
    let page = List {
        frame,
        typed,
        errors: &conditions.errors,
        rows: listed.list("items"),
        people: people.list("items"),
        pager: Pager::new(PATH, &conditions.pairs(), typed, listed.text("next")),
        csv: conditions.export("csv"),
        ndjson: conditions.export("ndjson"),
        verdict,
    };
    Ok(show(if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &page))
}

#[handler]
async fn list(frame: Frame, acts: Acts, asked: Asked) -> Result<Response, Failure> {
    page(&frame, &acts, &Typed::from(asked), None).await
}

/// Reads the whole log, and says whether it is what was written.
#[handler]
async fn verify(frame: Frame, acts: Acts, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let verdict = match audit::verify(&console.db, &console.secrets, None).await? {
        Ok(whole) => Verdict::Whole { n: whole.n, last_id: whole.last_id, hash: whole.hash },
        Err(broken) => Verdict::Broken(super::acts::sentence(&broken.to_string())),
    };
    page(&frame, &acts, &Typed::default(), Some(verdict)).await
}

#[handler]
fn export(asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let Conditions { filter, errors, .. } = Conditions::new(&typed);
    if !errors.is_empty() {
        return Err(Failure::Malformed("The times must be like 2026-12-31T23:59.".to_owned()));
    }
    let format = if typed.is("format", "csv") { AuditFormat::Csv } else { AuditFormat::Ndjson };
    Ok(export_audit(&console.db, filter, format))
}

#[derive(Template)]
#[template(path = "console/audit_entry.html")]
struct Entry<'a> {
    frame: &'a Frame,
    entry: &'a Value,
    /// Name, before and after of everything that is different.
    fields: Vec<(String, String, String)>,
    /// The entry before it.
    older: Option<i64>,
}

/// What is different, by field where it has fields.
fn differences(before: &Value, after: &Value) -> Vec<(String, String, String)> {
    let in_words = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => pretty(other),
    };
    match (before, after) {
        (Value::Null, Value::Null) => Vec::new(),
        (Value::Object(_) | Value::Null, Value::Object(_) | Value::Null) => {
            let names = [before, after].into_iter().filter_map(Value::as_object).flat_map(|fields| fields.keys());
            let names: std::collections::BTreeSet<&String> = names.collect();
            names.into_iter().map(|name| (name.clone(), in_words(before.get(name)), in_words(after.get(name)))).collect()
        }
        _ => vec![("all of it".to_owned(), in_words(Some(before)), in_words(Some(after)))],
    }
}

#[handler]
async fn one(frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let entry = acts.get(&format!("/audit/{id}")).await?;
    let fields = differences(entry.part("before"), entry.part("after"));
    Ok(show(StatusCode::OK, &Entry { frame: &frame, entry: &entry, fields, older: (id > 1).then_some(id - 1) }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_different_is_told_field_by_field() {
        let told = |name: &str, before: &str, after: &str| (name.to_owned(), before.to_owned(), after.to_owned());
        assert_eq!(
            differences(&json!({ "name": "API", "hidden": false }), &json!({ "name": "API 2", "hidden": true })),
            [told("hidden", "false", "true"), told("name", "API", "API 2")]
        );
        assert_eq!(differences(&Value::Null, &json!({ "name": "API" })), [told("name", "", "API")]);
        assert_eq!(differences(&Value::Null, &Value::Null), []);
        assert_eq!(differences(&json!([1]), &json!([2])), [told("all of it", "[\n  1\n]", "[\n  2\n]")]);
    }
}
