//! `/console/confirm/kept`: a form that was sent too long after the last proof of who sends it. It waits sealed until they have proved it,
//! and is sent with one click then: nothing is typed twice.

use askama::Template;
use poem::{
    Request, Response, handler,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    web::Data,
};
use secrecy::{ExposeSecret, SecretString};
use storage::kept_forms::{self, KeptForm};
use url::form_urlencoded;

use super::{
    Console,
    failure::Failure,
    form::Sent,
    frame::{Frame, see_other, show},
    gate::{Needs, Table, local_path},
    session::Person,
};

pub(super) const PATH: &str = "/console/confirm/kept";
/// Fields of forms that are ours, and mean nothing to people.
const OURS: [&str; 5] = ["csrf", "etag", "was", "next", "again"];
/// The most of a field that is shown, in characters.
const MAX_SHOWN_CHARS: usize = 300;

pub(super) fn routes(table: Table) -> Table {
    let needs = Needs::signed_in().fresh().before_factor();
    table.get(PATH, needs, page).post(PATH, needs, drop_it)
}

#[derive(Template)]
#[template(path = "console/kept.html")]
struct Page<'a> {
    frame: &'a Frame,
    path: &'a str,
    fields: Vec<Field>,
}

/// A field that was filled in.
struct Field {
    name: String,
    /// `None` if it is a secret.
    value: Option<String>,
}

/// Shows what was sent, and asks whether it is to be done now.
#[handler]
async fn page(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let found = kept_forms::find(&mut conn, &console.secrets, person.session, console.now()).await?;
    let Some(KeptForm { path, fields }) = found else { return Ok(see_other("/console/")) };
    Ok(show(StatusCode::OK, &Page { frame: &frame, path: &path, fields: shown(&fields) }))
}

/// Answers whoever sends what does not wait any more, or does not want it sent.
#[handler]
async fn drop_it(person: Person, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    let dropped = kept_forms::take(&mut tx, &console.secrets, person.session, console.now()).await?;
    tx.commit().await?;
    if dropped.is_none() && !sent.has("drop") {
        let text = "Nothing waits to be sent any more: it was sent already, or ten minutes have passed. Look whether it was done.";
        return Err(Failure::Conflict(text.to_owned()));
    }
    Ok(see_other("/console/"))
}

fn shown(fields: &SecretString) -> Vec<Field> {
    let pairs = form_urlencoded::parse(fields.expose_secret().as_bytes());
    let filled = pairs.filter(|(name, value)| !OURS.contains(&name.as_ref()) && !value.trim().is_empty());
    filled.map(|(name, value)| Field { value: (!is_secret(&name)).then(|| cut(&value)), name: in_words(&name) }).collect()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passphrase", "secret", "token", "code", "credential"].iter().any(|word| name.contains(word)) || name.ends_with("_key")
}

/// `logo_alt` as `Logo alt`.
fn in_words(name: &str) -> String {
    let name = name.replace(['_', '-'], " ");
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Keeps the form of a request that came too long after the last proof; tells whether it could be kept. The request has passed every
/// other check.
pub(super) async fn keep(console: &Console, person: &Person, request: &mut Request) -> Result<bool, Failure> {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    if *request.method() != Method::POST || request.uri().path() == PATH || local_path(&path).is_none() || !is_plain(request.headers()) {
        return Ok(false);
    }
    let body = request.take_body().into_bytes_limit(kept_forms::MAX_FORM_BYTES).await;
    let Ok(body) = body else { return Ok(false) };
    // The token belongs to the stay's secret, which the proof changes.
    let pairs = form_urlencoded::parse(&body).filter(|(name, _)| name != "csrf");
    let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let form = KeptForm { path, fields: fields.into() };
    let mut tx = console.db.begin().await?;
    let kept = kept_forms::keep(&mut tx, &console.secrets, person.session, &form, console.now()).await?;
    tx.commit().await?;
    Ok(kept)
}

/// Whether it is the form of a whole page, as a browser sends it.
fn is_plain(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Makes of the request to send what waits the one that was sent at first. It is looked at by the gate as if it came just now, and waits no
/// longer: nothing is done twice.
pub(super) async fn restore(console: &Console, person: &Person, request: &mut Request) -> Result<(), Failure> {
    let mut tx = console.db.begin().await?;
    let found = kept_forms::take(&mut tx, &console.secrets, person.session, console.now()).await?;
    tx.commit().await?;
    let Some((uri, form)) = found.and_then(|form| Some((form.path.parse::<Uri>().ok()?, form))) else { return Ok(()) };
    let mut fields = form_urlencoded::Serializer::new(form.fields.expose_secret().to_owned());
    fields.append_pair("csrf", &person.csrf);
    *request.uri_mut() = uri;
    request.set_body(fields.finish());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_shown_without_its_secrets() {
        let fields =
            "csrf=c&name=CI&new_password=p&totp_code=1&private_key=k&scopes=a&scopes=b&empty=+&etag=e&long=".to_owned() + &"é".repeat(301);
        let shown: Vec<(String, String)> =
            shown(&fields.into()).into_iter().map(|field| (field.name, field.value.unwrap_or_else(|| "?".to_owned()))).collect();
        let long = format!("{}…", "é".repeat(300));
        let expected = [
            ("Name", "CI"),
            ("New password", "?"),
            ("Totp code", "?"),
            ("Private key", "?"),
            ("Scopes", "a"),
            ("Scopes", "b"),
            ("Long", long.as_str()),
        ];
        assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
