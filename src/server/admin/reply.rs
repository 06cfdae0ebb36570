//! Answers: one thing with its `ETag`, something new with its `Location`, lists in pages.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem::{
    FromRequest, IntoResponse, Request, RequestBody, Response, Result,
    http::{HeaderMap, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::{ParseFromJSON, ToJSON, Type},
};
use sha2::{Digest, Sha256};

use super::{
    cursor,
    problem::Problem,
    trail::{self, Trail},
};

/// Entries of a list in one answer, unless the client says otherwise.
const DEFAULT_LIMIT: i64 = 50;
/// The most entries of a list in one answer.
pub(super) const MAX_LIMIT: i64 = 200;

/// What can be shown, with a mark that changes when somebody edits it.
pub(super) trait View: ToJSON {
    /// The mark, with its quotes.
    fn etag(&self) -> String {
        etag_of(&self.to_json().unwrap_or_default())
    }
}

pub(super) fn etag_of(value: &serde_json::Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// The `If-Match` of a request.
pub(super) struct IfMatch {
    tags: Option<String>,
    trail: Option<Trail>,
}

impl<'a> FromRequest<'a> for IfMatch {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let tags = list_of(request.headers(), header::IF_MATCH.as_str());
        Ok(Self { tags, trail: trail::of(request).cloned() })
    }
}

fn list_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

impl IfMatch {
    /// Whatever the client has seen.
    pub(super) const fn any() -> Self {
        Self { tags: None, trail: None }
    }

    /// The same for what adds to a thing and leaves what was before as it is.
    pub(super) fn unrecorded(self) -> Self {
        Self { trail: None, ..self }
    }

    /// Refuses if the client has seen another state of `current`. Otherwise notes it for the audit log, as what was before.
    pub(super) fn check(&self, current: &impl View) -> Result<(), Problem> {
        if let (Some(trail), Some(before)) = (&self.trail, current.to_json()) {
            trail.was(before);
        }
        match &self.tags {
            Some(tags) if !matches(tags, &current.etag()) => Err(Problem::changed_since("it")),
            _ => Ok(()),
        }
    }
}

/// Whether a list of tags holds `etag`. A proxy that compresses makes a tag weak, so weak ones count.
pub(super) fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Whether `If-None-Match` says that the client has this already.
pub(super) fn is_known(request_headers: &HeaderMap, etag: &str) -> bool {
    list_of(request_headers, header::IF_NONE_MATCH.as_str()).is_some_and(|tags| matches(&tags, etag))
}

fn json_content<T: Type>() -> Vec<MetaMediaType> {
    vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }]
}

fn header_meta(name: &str, description: &str) -> MetaHeader {
    let schema = MetaSchemaRef::Inline(Box::new(poem_openapi::registry::MetaSchema::new("string")));
    MetaHeader { name: name.to_owned(), description: Some(description.to_owned()), required: true, deprecated: false, schema }
}

fn meta(status: StatusCode, description: &'static str, content: Vec<MetaMediaType>, headers: Vec<MetaHeader>) -> MetaResponses {
    let response = MetaResponse { description, status: Some(status.as_u16()), status_range: None, content, headers };
    MetaResponses { responses: vec![response] }
}

fn json_response(status: StatusCode) -> poem::ResponseBuilder {
    Response::builder().status(status).content_type("application/json")
}

/// One thing as it is now.
pub(super) struct Shown<T>(pub(super) T);

impl<T: View> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        json_response(StatusCode::OK).header(header::ETAG, self.0.etag()).body(self.0.to_json_string())
    }
}

impl<T: View> ApiResponse for Shown<T> {
    fn meta() -> MetaResponses {
        meta(StatusCode::OK, "As it is now.", json_content::<T>(), vec![header_meta("ETag", "For If-Match and If-None-Match.")])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Something new, and where it is found from now on.
pub(super) struct Created<T> {
    pub(super) location: String,
    pub(super) view: T,
}

impl<T: ToJSON> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        json_response(StatusCode::CREATED).header(header::LOCATION, self.location).body(self.view.to_json_string())
    }
}

impl<T: ToJSON> ApiResponse for Created<T> {
    fn meta() -> MetaResponses {
        meta(StatusCode::CREATED, "Made.", json_content::<T>(), vec![header_meta("Location", "Where it is found.")])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Something that was begun and goes on by itself.
pub(super) struct Accepted<T>(pub(super) T);

impl<T: ToJSON> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        json_response(StatusCode::ACCEPTED).body(self.0.to_json_string())
    }
}

impl<T: ToJSON> ApiResponse for Accepted<T> {
    fn meta() -> MetaResponses {
        meta(StatusCode::ACCEPTED, "Taken up.", json_content::<T>(), Vec::new())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// An answer to what was done at once, or to what waits.
pub(super) enum Or<A, B> {
    /// The one.
    Done(A),
    /// The other.
    Waits(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for Or<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::Done(answer) => answer.into_response(),
            Self::Waits(answer) => answer.into_response(),
        }
    }
}

impl<A: ApiResponse, B: ApiResponse> ApiResponse for Or<A, B> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: A::meta().responses.into_iter().chain(B::meta().responses).collect() }
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
        B::register(registry);
    }
}

/// Done, and nothing to show.
pub(super) struct Gone;

impl IntoResponse for Gone {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into()
    }
}

impl ApiResponse for Gone {
    fn meta() -> MetaResponses {
        meta(StatusCode::NO_CONTENT, "Done.", Vec::new(), Vec::new())
    }

    fn register(_: &mut Registry) {}
}

/// A page of a list.
#[derive(Object)]
pub(super) struct List<T: ParseFromJSON + ToJSON> {
    /// The entries.
    pub(super) items: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    #[oai(nullable)]
    pub(super) next: Option<String>,
}

/// Which page of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    limit: i64,
    /// The id of the last entry that the client has.
    after: Option<i64>,
}

impl Paging {
    pub(super) fn new(limit: Option<i64>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::malformed("limit", format!("must lie between 1 and {MAX_LIMIT}")));
        }
        let refuse = |cursor| cursor::refuse(cursor, "is not the `next` of an earlier answer");
        let after = cursor.map(|cursor| cursor::read(cursor).ok_or_else(|| refuse(cursor))).transpose()?;
        Ok(Self { limit, after })
    }

    /// Where an ascending list goes on.
    pub(super) fn after(&self) -> i64 {
        self.after.unwrap_or(i64::MIN)
    }

    /// Where a descending list goes on.
    pub(super) fn before(&self) -> i64 {
        self.after.unwrap_or(i64::MAX)
    }

    /// How many to ask the database for: one more than is shown tells whether there is a next page.
    pub(super) fn n_wanted(&self) -> i64 {
        self.limit + 1
    }

    /// The answer, from what the database gave.
    pub(super) fn list<R, T: ParseFromJSON + ToJSON>(&self, mut rows: Vec<R>, id: impl Fn(&R) -> i64, view: impl FnMut(R) -> T) -> List<T> {
        let n = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > n;
        rows.truncate(n);
        let next = if has_more { rows.last().map(|row| cursor::write(id(row))) } else { None };
        List { items: rows.into_iter().map(view).collect(), next }
    }
}
