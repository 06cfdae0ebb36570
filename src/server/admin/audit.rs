//! `/audit`: who did what, and proof that nobody has changed what is said about it.

use poem::{Body as Bytes, IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use storage::{
    Db,
    audit::{self, Filter, Recorded},
};
use tracing::error;

use super::{
    Admin,
    problem::Problem,
    reply::{List, Paging, Shown, View},
    types::Time,
};

/// Rows read at once for an export.
const AT_ONCE: i64 = 500;

pub(super) struct AuditApi(pub(super) Admin);

/// An act that matters for security.
#[derive(Object)]
#[oai(rename = "AuditEntry")]
struct EntryView {
    /// Numbers have no gap.
    id: i64,
    at: Time,
    /// Whose act it was, as a pseudonym: `user:7`, `token:3`, `command:0`, `system`, `anonymous`.
    actor: String,
    /// The actor's name then; null if it had none, or it was erased.
    #[oai(nullable)]
    name: Option<String>,
    /// By what: `session:12`, `token:3`, `command`, `machine`, `nothing`.
    via: String,
    /// The client's address.
    #[oai(nullable)]
    address: Option<String>,
    /// The kind of thing and the verb, such as `component.update`.
    action: String,
    /// What it was done to, such as `component:5`.
    #[oai(nullable)]
    resource: Option<String>,
    /// What is different: as it was. Never a secret, and pseudonyms for addresses.
    #[oai(nullable)]
    before: Option<serde_json::Value>,
    /// What is different: as it was asked for.
    #[oai(nullable)]
    after: Option<serde_json::Value>,
    /// SHA-256 over this entry and the hash of the one before.
    hash: String,
}

impl View for EntryView {}

/// How an export is written.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
pub(crate) enum Format {
    /// One entry in JSON on each line.
    Ndjson,
    /// A table with a line of headings.
    Csv,
}

#[OpenApi]
impl AuditApi {
    /// Lists acts, newest first.
    #[oai(path = "/audit", method = "get")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        /// A pseudonym, such as `user:7`.
        actor: Query<Option<String>>,
        /// Such as `component.update`.
        action: Query<Option<String>>,
        /// Such as `component:5`.
        resource: Query<Option<String>>,
        /// Not older than this.
        from: Query<Option<Time>>,
        /// Older than this.
        to: Query<Option<Time>>,
    ) -> Result<Json<List<EntryView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let filter = filter(actor.0, action.0, resource.0, (from.0, to.0));
        let rows = audit::list(&mut self.0.db.read().await?, &filter, paging.before(), paging.n_wanted()).await?;
        Ok(Json(paging.list(rows, |row| row.id, view)))
    }

    /// Hands out all acts that pass the filters, newest first, as one file.
    #[oai(path = "/audit/export", method = "get")]
    async fn export(
        &self,
        /// `ndjson` if it is left out.
        format: Query<Option<Format>>,
        /// A pseudonym, such as `user:7`.
        actor: Query<Option<String>>,
        /// Such as `component.update`.
        action: Query<Option<String>>,
        /// Such as `component:5`.
        resource: Query<Option<String>>,
        /// Not older than this.
        from: Query<Option<Time>>,
        /// Older than this.
        to: Query<Option<Time>>,
    ) -> Result<Export, Problem> {
        let filter = filter(actor.0, action.0, resource.0, (from.0, to.0));
        Ok(Export { db: self.0.db.clone(), filter, format: format.0.unwrap_or(Format::Ndjson) })
    }

    /// Shows one act.
    #[oai(path = "/audit/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<EntryView>, Problem> {
        let before = id.0.saturating_add(1);
        let found = audit::list(&mut self.0.db.read().await?, &Filter::default(), before, 1).await?.pop();
        Ok(Shown(view(found.filter(|row| row.id == id.0).ok_or_else(|| Problem::not_found("act"))?)))
    }
}

/// The acts that pass a filter, newest first, as one file.
pub(crate) fn export(db: &Db, filter: Filter, format: Format) -> Response {
    Export { db: db.clone(), filter, format }.into_response()
}

type Window = (Option<Time>, Option<Time>);

fn filter(actor: Option<String>, action: Option<String>, resource: Option<String>, (from, to): Window) -> Filter {
    Filter { actor, action, resource, from: from.map(|at| at.0), to: to.map(|at| at.0) }
}

fn view(row: Recorded) -> EntryView {
    let Recorded { id, at, actor, name, via, address, action, resource, before, after, hash } = row;
    EntryView { id, at: Time(at), actor, name, via, address, action, resource, before, after, hash }
}

/// A file of entries, read from the database while it is sent.
struct Export {
    db: Db,
    filter: Filter,
    format: Format,
}

impl IntoResponse for Export {
    fn into_response(self) -> Response {
        let (content_type, name, first) = match self.format {
            Format::Ndjson => ("application/x-ndjson", "audit.ndjson", String::new()),
            Format::Csv => ("text/csv; charset=utf-8", "audit.csv", format!("{}\r\n", COLUMNS.join(","))),
        };
        let rest = futures::stream::unfold(Some((self, i64::MAX)), |going_on| async move {
            let (export, before) = going_on?;
            match export.part(before).await {
                Ok((_, None)) => None,
                Ok((text, Some(last))) => Some((Ok(text), Some((export, last)))),
                Err(error) => {
                    error!(error = ?error, "An export of the audit log ended early");
                    Some((Err(std::io::Error::other("the database does not answer")), None))
                }
            }
        });
        let parts = futures::StreamExt::chain(futures::stream::iter([Ok(first)]), rest);
        Response::builder()
            .content_type(content_type)
            .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))
            .body(Bytes::from_bytes_stream(parts))
    }
}

impl Export {
    /// The next rows, and the number of the last of them.
    async fn part(&self, before: i64) -> Result<(String, Option<i64>), storage::StorageError> {
        let rows = audit::list(&mut self.db.read().await?, &self.filter, before, AT_ONCE).await?;
        let last = rows.last().map(|row| row.id);
        let line = |row: Recorded| match self.format {
            Format::Ndjson => format!("{}\n", poem_openapi::types::ToJSON::to_json_string(&view(row))),
            Format::Csv => csv_line(&row),
        };
        Ok((rows.into_iter().map(line).collect(), last))
    }
}

impl ApiResponse for Export {
    fn meta() -> MetaResponses {
        let text = || MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content =
            ["application/x-ndjson", "text/csv; charset=utf-8"].map(|content_type| MetaMediaType { content_type, schema: text() }).into();
        let response = MetaResponse { description: "The entries.", status: Some(200), status_range: None, content, headers: Vec::new() };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

const COLUMNS: [&str; 11] = ["id", "at", "actor", "name", "via", "address", "action", "resource", "before", "after", "hash"];

fn csv_line(row: &Recorded) -> String {
    let json = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        row.id.to_string(),
        row.at.to_string(),
        row.actor.clone(),
        text(&row.name),
        row.via.clone(),
        text(&row.address),
        row.action.clone(),
        text(&row.resource),
        json(&row.before),
        json(&row.after),
        row.hash.clone(),
    ];
    format!("{}\r\n", cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(","))
}

/// In quotes where needed, and never something that a spreadsheet would compute.
fn csv_cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\r', '\n']) {
        text.to_owned()
    } else {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::csv_cell;

    #[test]
    fn a_cell_is_text_for_every_spreadsheet() {
        assert_eq!(csv_cell("component.update"), "component.update");
        assert_eq!(csv_cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(csv_cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
    }
}
