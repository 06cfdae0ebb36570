//! The one gate: who may call what. A route cannot be registered without saying so.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::{Permission, Resource, Span};
use poem::{
    Endpoint, EndpointExt, FromRequest, IntoResponse, Request, RequestBody, Response, Result, Route, RouteMethod,
    endpoint::BoxEndpoint,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    web::Multipart,
};

use super::{
    Console,
    failure::Failure,
    frame::{self, Frame, Nonce},
    kept,
    session::{self, Found, HalfPerson, Person},
    zone,
};

/// The longest body of a form.
const MAX_BODY_BYTES: usize = 1 << 20;
/// The longest path that somebody is led back to: it names the rows that they have chosen.
const MAX_WAY_CHARS: usize = 4_000;
/// How recently somebody must have proved who they are, to do what cannot be undone or gives power away.
const FRESH: Span = Span::mins(10);

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const HTMX: HeaderName = HeaderName::from_static("hx-request");
const HTMX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody.
    Anybody,
    /// Whoever has given the right password, and still owes the second factor.
    Half,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever is signed in with a role that permits this.
    May(Permission),
}

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) who: Who,
    /// Whether they must have proved who they are within the last ten minutes.
    pub(super) fresh: bool,
    /// Whether somebody whose role needs a second factor may go there before they have one.
    pub(super) before_factor: bool,
    /// Whether pages ask for it by themselves, though nobody may sit in front of them.
    pub(super) by_itself: bool,
}

/// Where somebody proves again who they are.
const CONFIRM: &str = "/console/confirm";

impl Needs {
    const fn who(who: Who) -> Self {
        Self { who, fresh: false, before_factor: false, by_itself: false }
    }

    /// For everybody: what lets people in.
    pub(super) const fn nothing() -> Self {
        Self::who(Who::Anybody)
    }

    pub(super) const fn password() -> Self {
        Self::who(Who::Half)
    }

    /// For everybody who is signed in: what is their own.
    pub(super) const fn signed_in() -> Self {
        Self::who(Who::SignedIn)
    }

    pub(super) const fn read(resource: Resource) -> Self {
        Self::who(Who::May(Permission::read(resource)))
    }

    pub(super) const fn write(resource: Resource) -> Self {
        Self::who(Who::May(Permission::write(resource)))
    }

    /// For whoever this is permitted.
    pub(super) const fn may(permission: Permission) -> Self {
        Self::who(Who::May(permission))
    }

    /// And they must have proved who they are within the last ten minutes: for secrets, roles, tokens, deletion.
    pub(super) const fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// Also for those whose role needs a second factor that they do not have: what leads to it, and out.
    pub(super) const fn before_factor(self) -> Self {
        Self { before_factor: true, ..self }
    }

    /// And no stay goes on by it: pages that are open ask for it again and again.
    pub(super) const fn by_itself(self) -> Self {
        Self { by_itself: true, ..self }
    }
}

/// A route and what it needs.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) method: Method,
    /// With `:name` for what varies.
    pub(super) path: &'static str,
    pub(super) needs: Needs,
}

/// Every route of the console.
pub(super) struct Table {
    console: Console,
    routes: Vec<(Rule, Arc<BoxEndpoint<'static>>)>,
}

impl Table {
    pub(super) const fn new(console: Console) -> Self {
        Self { console, routes: Vec::new() }
    }

    /// A page: it changes nothing, and answers HEAD too.
    pub(super) fn get(self, path: &'static str, needs: Needs, endpoint: impl Endpoint + 'static) -> Self {
        self.route(Method::GET, path, needs, endpoint)
    }

    /// An act.
    pub(super) fn post(self, path: &'static str, needs: Needs, endpoint: impl Endpoint + 'static) -> Self {
        self.route(Method::POST, path, needs, endpoint)
    }

    fn route(mut self, method: Method, path: &'static str, needs: Needs, endpoint: impl Endpoint + 'static) -> Self {
        let endpoint: BoxEndpoint<'static> = endpoint.map_to_response().boxed();
        self.routes.push((Rule { method, path, needs }, Arc::new(endpoint)));
        self
    }

    /// What stands in it.
    #[cfg(test)]
    pub(super) fn rules(&self) -> Vec<Rule> {
        self.routes.iter().map(|(rule, _)| rule.clone()).collect()
    }

    /// Registers every route behind its rule.
    pub(super) fn add_to(self, route: Route) -> Route {
        let mut paths: BTreeMap<&'static str, RouteMethod> = BTreeMap::new();
        for (rule, endpoint) in self.routes {
            let (path, method) = (rule.path, rule.method.clone());
            let gate = Arc::new(Gate { console: self.console.clone(), needs: rule.needs, endpoint });
            let mut methods = paths.remove(path).unwrap_or_default();
            if method == Method::GET {
                methods = methods.head(gate.clone());
            }
            paths.insert(path, methods.method(method, gate));
        }
        let routes = paths.into_iter().fold(Route::new(), |route, (path, methods)| route.at(path, methods));
        let routes = routes.at("/console", poem::endpoint::make_sync(|_| frame::see_other("/console/")));
        route.nest_no_strip("/console", Everything { console: self.console, routes })
    }
}

/// Makes a page of the console of what leads nowhere.
struct Everything {
    console: Console,
    routes: Route,
}

impl Endpoint for Everything {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        self.restore(&mut request).await;
        match self.routes.call(request).await {
            Ok(response) => Ok(response),
            Err(error) => {
                let nonce = Nonce::new();
                let mut response = frame::error(&Frame::new(&self.console, None, &nonce, ""), &error);
                frame::secure(&mut response, &nonce);
                Ok(response)
            }
        }
    }
}

impl Everything {
    /// Puts the form that waits in place of the request to send it now. Whatever is wrong with that request, the gate says.
    async fn restore(&self, request: &mut Request) {
        if *request.method() != Method::POST || request.uri().path() != kept::PATH {
            return;
        }
        let Ok(Found::Full(person)) = session::look_up(&self.console, request, false).await else { return };
        if check_origin(&self.console, request).is_err() || check_csrf(&person, request).await.is_err() || !is_fresh(&self.console, &person)
        {
            return;
        }
        let Ok(body) = request.take_body().into_bytes_limit(MAX_BODY_BYTES).await else { return };
        let is_dropped = url::form_urlencoded::parse(&body).any(|(name, _)| name == "drop");
        request.set_body(body);
        if is_dropped {
            return;
        }
        if let Err(failure) = kept::restore(&self.console, &person, request).await {
            tracing::error!(?failure, "A form that waited could not be sent");
        }
    }
}

/// Whether somebody has proved who they are so recently that it counts.
fn is_fresh(console: &Console, person: &Person) -> bool {
    console.now().since(person.proved_at) <= FRESH
}

/// One route behind its rule.
struct Gate {
    console: Console,
    needs: Needs,
    endpoint: Arc<BoxEndpoint<'static>>,
}

/// Why somebody does not get through.
enum Refusal {
    /// They must sign in, or give the second factor, or prove themselves again: over there.
    First(&'static str),
    Failure(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Gate {
    /// Lets the request through, with who asks in its data.
    async fn pass(&self, request: &mut Request) -> Result<(), Refusal> {
        let (full, half) = match session::look_up(&self.console, request, self.needs.by_itself).await? {
            Found::Nobody => (None, None),
            Found::Half(person) => (None, Some(person)),
            Found::Full(person) => (Some(person), None),
        };
        let unsafe_method = !matches!(*request.method(), Method::GET | Method::HEAD);
        if unsafe_method {
            check_origin(&self.console, request)?;
        }
        if let Some(person) = &full {
            request.set_data(person.clone());
        }
        let person = match self.needs.who {
            Who::Anybody => full.as_ref(),
            Who::Half => Some(half.as_ref().ok_or(Refusal::First("/console/log-in"))?),
            Who::SignedIn | Who::May(_) => {
                let way = if half.is_some() { "/console/log-in/code" } else { "/console/log-in" };
                Some(full.as_ref().ok_or(Refusal::First(way))?)
            }
        };
        if person.is_some_and(|person| person.lacks_factor) && !self.needs.before_factor && self.needs.who != Who::Anybody {
            return Err(Refusal::First("/console/profile/factor"));
        }
        if let (Who::May(permission), Some(person)) = (self.needs.who, person)
            && !person.may(permission)
        {
            let role = person.role;
            return Err(
                Failure::Forbidden(format!("This needs the permission `{permission}`, which the role {role} does not have.")).into()
            );
        }
        if let Some(person) = person.filter(|_| unsafe_method && self.needs.who != Who::Anybody) {
            check_csrf(person, request).await?;
        }
        if self.needs.fresh && person.is_none_or(|person| !is_fresh(&self.console, person)) {
            return Err(Refusal::First(CONFIRM));
        }
        if let Some(half) = half {
            request.set_data(HalfPerson(half));
        }
        Ok(())
    }
}

impl Endpoint for Gate {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let nonce = Nonce::new();
        let passed = self.pass(&mut request).await;
        // Who is signed in keeps the way everywhere, on a page that says no too.
        let frame = Frame::new(&self.console, request.data::<Person>(), &nonce, request.uri().path());
        let mut response = match passed {
            Ok(()) => {
                request.set_data(frame.clone());
                request.set_data(self.console.clone());
                let zone = zone::of(&self.console, frame.person.as_ref());
                match zone::within(zone, self.endpoint.call(request)).await {
                    Ok(response) => response,
                    Err(error) => frame::error(&frame, &error),
                }
            }
            Err(Refusal::First(way)) => self.send_first(way, request).await,
            Err(Refusal::Failure(failure)) => frame::error(&frame, &failure.into()),
        };
        frame::secure(&mut response, &nonce);
        Ok(response)
    }
}

impl Gate {
    /// Leads to where somebody gets in. A form that only lacks a fresh proof waits until then.
    async fn send_first(&self, way: &'static str, mut request: Request) -> Response {
        if let Some(person) = request.data::<Person>().cloned().filter(|_| way == CONFIRM && !request.headers().contains_key(HTMX)) {
            match kept::keep(&self.console, &person, &mut request).await {
                Ok(true) => return send_first(way, &request, Some(kept::PATH)),
                Ok(false) => {}
                Err(failure) => tracing::error!(?failure, "A form could not be kept for a proof"),
            }
        }
        send_first(way, &request, None)
    }
}

/// Leads to where somebody gets in, and back here afterwards: to this page, to the one whose form they sent, or to what is waiting.
fn send_first(way: &str, request: &Request, waiting: Option<&str>) -> Response {
    let here = request.uri().path_and_query().map(ToString::to_string);
    let form = || {
        let referer = url::Url::parse(request.header(header::REFERER)?).ok()?;
        Some(referer[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
    };
    let back = if *request.method() == Method::GET && request.headers().get(HTMX).is_none() { here } else { form() };
    let back = back.filter(|path| local_path(path).is_some() && path != "/console/");
    let back = waiting.map(str::to_owned).or(back);
    // Who sent a form is told that it was not taken: whoever signs in anew knows that anyway.
    let again = (way == CONFIRM && *request.method() != Method::GET).then_some(("again", "1"));
    let pairs: Vec<(&str, &str)> = back.iter().map(|back| ("next", back.as_str())).chain(again).collect();
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    let way = if query.is_empty() { way.to_owned() } else { format!("{way}?{query}") };
    if request.headers().get(HTMX).is_some() {
        // A fragment of a page is no place for a form to sign in: the whole page goes there.
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        if let Ok(value) = HeaderValue::from_str(&way) {
            response.headers_mut().insert(HTMX_REDIRECT, value);
        }
        return response;
    }
    frame::see_other(&way)
}

/// A path of the console, and nothing that a browser could take for another site.
pub(super) fn local_path(text: &str) -> Option<&str> {
    let odd = |c: char| c == '\\' || c.is_control() || c.is_whitespace();
    (text.starts_with("/console/") && !text.contains("//") && !text.contains("..") && !text.contains(odd) && text.len() <= MAX_WAY_CHARS)
        .then_some(text)
}

/// Refuses what another site sends: a browser says so itself, or names the origin. What comes without either is not from a browser of this
/// century and must name the origin.
fn check_origin(console: &Console, request: &Request) -> Result<(), Failure> {
    let own = console.base_url.origin().ascii_serialization();
    let same = match (request.header(FETCH_SITE), request.header(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, origin) => origin == Some(own.as_str()),
    };
    if same {
        return Ok(());
    }
    Err(Failure::Forbidden(format!("This request was sent from another site. Open the console at {own}/console/ and try again.")))
}

async fn check_csrf(person: &Person, request: &mut Request) -> Result<(), Failure> {
    let refused = || Failure::Forbidden("This form is out of date. Go back, load the page again and send it once more.".to_owned());
    if let Some(given) = request.header(CSRF_HEADER) {
        return if session::same_token(person, given) { Ok(()) } else { Err(refused()) };
    }
    let is = |kind: &str| request.content_type().is_some_and(|given| given.starts_with(kind));
    let (is_plain, has_files) = (is("application/x-www-form-urlencoded"), is("multipart/form-data"));
    if !is_plain && !has_files {
        return Err(refused());
    }
    let body = request.take_body().into_bytes_limit(MAX_BODY_BYTES).await.map_err(|_| not_whole())?;
    let body = if has_files { without_files(request, body).await? } else { body };
    let mut given = url::form_urlencoded::parse(&body).filter(|(name, _)| name == "csrf").map(|(_, value)| value);
    let right = given.next().is_some_and(|given| session::same_token(person, &given)) && given.next().is_none();
    request.set_body(body.clone());
    if right { Ok(()) } else { Err(refused()) }
}

fn not_whole() -> Failure {
    Failure::Malformed(format!("The form is larger than {} KiB, or did not arrive whole.", MAX_BODY_BYTES >> 10))
}

/// Makes of a form with files one without, so that handlers know one kind: a file becomes a text, `data:…;base64,…`, and none an empty one.
async fn without_files(request: &mut Request, body: Bytes) -> Result<Bytes, Failure> {
    let mut parts = Multipart::from_request(request, &mut RequestBody::new(body.into())).await.map_err(|_| not_whole())?;
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| not_whole())? {
        let (name, is_file) = (part.name().unwrap_or_default().to_owned(), part.file_name().is_some());
        let bytes = part.bytes().await.map_err(|_| not_whole())?;
        let text = match (is_file, bytes.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("data:application/octet-stream;base64,{}", BASE64_STANDARD.encode(&bytes)),
            (false, _) => String::from_utf8(bytes).map_err(|_| not_whole())?,
        };
        fields.push((name, text));
    }
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_led_back_to_paths_of_the_console_that_are_not_too_long() {
        let path = |n: usize| format!("/console/{}", "x".repeat(n - "/console/".len()));
        assert!(local_path(&path(MAX_WAY_CHARS)).is_some() && local_path(&path(MAX_WAY_CHARS + 1)).is_none());
        for odd in
            ["", "/", "/console", "//evil.example", "/console//evil", "/console/../x", "/console/\\x", "/console/a b", "https://x/console/"]
        {
            assert_eq!(local_path(odd), None, "{odd}");
        }
    }
}
