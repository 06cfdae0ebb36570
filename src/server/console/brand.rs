//! `/console/page`: what the page is called, how it looks, and where its days begin, with a look at it before it is saved.

use askama::Template;
use domain::{
    DEFAULT_ACCENT, DEFAULT_ACCENT_DARK, Image, MAX_ADDRESS_CHARS, MAX_DESCRIPTION_CHARS, MAX_FOOTER_LINKS, MAX_HEADER_LINKS,
    MAX_IMAGE_BYTES, MAX_NAME_CHARS, PageSettings, Permission, Resource,
};
use jiff::tz::TimeZone;
use poem::{Response, handler, http::StatusCode, web::Data};
use serde_json::{Value, json};
use storage::rows;

use super::{
    Console,
    acts::{Acts, sentence},
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    meanwhile::{Field, Meanwhile, Version},
    seen::{Asked, Seen, Sent, Typed},
    session::Person,
    zone,
};
use crate::{
    admin::{Refused, drafted_page},
    page::Theme,
};

const PATH: &str = "/console/page";
/// What is typed as it is stored, and how people call it.
const TEXTS: [(&str, &str); 8] = [
    ("name", "Name"),
    ("description", "Description"),
    ("time_zone", "Time zone"),
    ("support_url", "Support"),
    ("accent", "Colour on a light page"),
    ("accent_dark", "Colour on a dark page"),
    ("logo_alt", "What the logo says"),
    ("footer", "Text at the foot"),
];
/// Pictures: chosen as files, and kept in the form until it is saved.
const IMAGES: [(&str, &str); 2] = [("logo", "Logo"), ("icon", "Icon")];
/// Links: one on each line, its words and then its address.
const LINKS: [(&str, &str); 2] = [("header_links", "Links at the head"), ("footer_links", "Links at the foot")];

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Page), Needs::write(Resource::Page));
    table.get(PATH, look, form).post(PATH, act, update).post("/console/page/preview", act, show_preview)
}

/// The page as readers will see it, and what does not fit.
#[derive(Template)]
#[template(path = "console/brand_preview.html")]
struct Preview<'a> {
    page: String,
    wrong: Vec<String>,
    zone: &'a str,
    /// What time it is there; `None` if there is no such zone.
    now: Option<String>,
}

impl<'a> Preview<'a> {
    fn new(console: &Console, settings: PageSettings, typed: &'a Typed) -> Self {
        let (settings, images, wrong) = drafted_page(settings, patch(typed));
        let zone = typed.text("time_zone");
        let there = TimeZone::get(zone).ok().map(|zone| console.now().to_jiff().to_zoned_datetime(zone));
        Self {
            page: console.page.snapshot().draft(settings, &images, Theme::named(typed.text("theme"))),
            wrong: wrong.iter().map(|(field, message)| said_of(field, message)).collect(),
            zone,
            now: there.map(|now| now.strftime("%-d %B %Y, %H:%M").to_string()),
        }
    }
}

/// `accent has a contrast of 1.4 …` as `Accent has a contrast of 1.4 ….`
fn said_of(field: &str, message: &str) -> String {
    sentence(&format!("{} {}", field.replace('_', " "), message.replace('`', "")))
}

#[derive(Template)]
#[template(path = "console/brand.html")]
struct Page<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
    /// The version that the form was opened on.
    version: Version,
    /// What changed since, if that is why nothing was saved.
    meanwhile: Option<Meanwhile>,
    /// Whether it was just saved.
    saved: bool,
    may_write: bool,
    zones: Vec<String>,
    preview: Preview<'a>,
}

impl Page<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(|message| sentence(&message.replace('`', "")))
    }

    /// What is wrong with a line of links, and with which.
    fn wrong_line(&self, field: &str) -> Option<String> {
        let fields = &self.refused?.fields;
        let (part, message) = fields.iter().find_map(|(name, message)| Some((name.strip_prefix(field)?, message)))?;
        let line =
            part.strip_prefix('[').and_then(|rest| rest.split_once("].")).and_then(|(n, part)| Some((n.parse::<usize>().ok()? + 1, part)));
        let message = message.replace('`', "");
        Some(sentence(
            &line
                .map_or(message.clone(), |(n, part)| format!("line {n}: its {} {message}", if part == "url" { "address" } else { "text" })),
        ))
    }

    fn wrong_at_all(&self) -> Option<String> {
        let refused = self.refused?;
        let mut fields = TEXTS.iter().chain(&IMAGES).chain(&LINKS);
        let is_about_none = self.meanwhile.is_none() && fields.all(|(field, _)| refused.field(field).is_none());
        is_about_none.then(|| sentence(&refused.in_words()))
    }

    fn is_theme(&self, name: &str) -> bool {
        self.typed.is("theme", name)
    }
}

/// What was typed, as the operation wants it.
fn patch(typed: &Typed) -> Value {
    let texts = TEXTS.iter().map(|(field, _)| ((*field).to_owned(), json!(typed.text(field))));
    let images = IMAGES.iter().map(|(field, _)| ((*field).to_owned(), json!(image(typed, field))));
    let links = LINKS.iter().map(|(field, _)| ((*field).to_owned(), links(typed.text(field))));
    Value::Object(texts.chain(images).chain(links).collect())
}

/// The picture that is wanted: a file that was chosen just now, else what the form has kept, unless it is to go.
fn image<'a>(typed: &'a Typed, field: &str) -> &'a str {
    if typed.has(&format!("{field}_remove")) {
        return "";
    }
    typed.given(&format!("{field}_file")).unwrap_or_else(|| typed.text(field))
}

/// `Status of our vendor https://example.com`, on each line.
fn links(text: &str) -> Value {
    let link = |line: &str| {
        let (label, url) = line.rsplit_once(char::is_whitespace).unwrap_or((line, ""));
        json!({ "label": label.trim(), "url": url })
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(link).collect()
}

fn lines(links: &[Value]) -> String {
    links.iter().map(|link| format!("{} {}", link.text("label"), link.text("url"))).collect::<Vec<_>>().join("\n")
}

/// What the form shows again: files cannot be put back into it, so pictures that were chosen stay in it as texts.
fn with_images_kept(mut typed: Typed) -> Typed {
    for (field, _) in IMAGES {
        let chosen = image(&typed, field).to_owned();
        let kept = match Image::from_data_url(&chosen) {
            Ok(image) => image.to_data_url(),
            Err(_) if chosen.starts_with("/assets/") => chosen,
            Err(_) => String::new(),
        };
        typed.set(field, kept);
    }
    typed
}

/// What stands in the form of a page that is stored so.
fn stored(settings: &Value) -> Vec<Field> {
    let as_it_is = TEXTS.iter().chain(&IMAGES).map(|&(name, label)| Field::new(name, label, settings.text(name)));
    as_it_is.chain(LINKS.iter().map(|&(name, label)| Field::new(name, label, lines(settings.list(name))))).collect()
}

/// How a form came to be shown.
enum Shown {
    Opened { may_write: bool, saved: bool },
    Again(Option<Refused>),
}

async fn page(console: &Console, frame: &Frame, acts: &Acts, mut typed: Typed, shown: Shown) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let settings = rows::page_settings(&mut conn).await?;
    drop(conn);
    let now = acts.get("/page").await?;
    let (may_write, saved, refused) = match shown {
        Shown::Opened { may_write, saved } => (may_write, saved, None),
        Shown::Again(refused) => (true, false, refused),
    };
    let opened = Version { etag: typed.text("etag").to_owned(), was: typed.text("was").to_owned() };
    let is_outdated = refused.as_ref().is_some_and(Refused::is_outdated);
    let meanwhile = is_outdated.then(|| Meanwhile::new(&opened, stored(&now), |name| Some(typed.lines(name))));
    for (name, _) in TEXTS.iter().chain(&IMAGES).chain(&LINKS) {
        if let Some(theirs) = meanwhile.as_ref().and_then(|meanwhile| meanwhile.taken(name)) {
            typed.set(name, theirs);
        }
    }
    let version = Version::again(Some(&opened), is_outdated, Version::new(now.text("etag"), &stored(&now)));
    let preview = Preview::new(console, settings, &typed);
    let status = refused.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    let refused = refused.as_ref();
    Ok(show(status, &Page { frame, typed: &typed, refused, version, meanwhile, saved, may_write, zones: zone::offered(), preview }))
}

#[handler]
async fn form(person: Person, frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut typed = Typed::default();
    for field in stored(&acts.get("/page").await?) {
        typed.add(field.name, field.value);
    }
    let (may_write, saved) = (person.may(Permission::write(Resource::Page)), Typed::from(asked).given("saved").is_some());
    page(console, &frame, &acts, typed, Shown::Opened { may_write, saved }).await
}

#[handler]
async fn show_preview(sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let settings = rows::page_settings(&mut console.db.read().await?).await?;
    Ok(show(StatusCode::OK, &Preview::new(console, settings, &Typed::from(sent))))
}

#[handler]
async fn update(frame: Frame, acts: Acts, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    if typed.is("preview", "1") {
        return page(console, &frame, &acts, with_images_kept(typed), Shown::Again(None)).await;
    }
    match acts.patch("/page", &patch(&typed), typed.given("etag")).await {
        Ok(_) => Ok(see_other(&format!("{PATH}?saved=1"))),
        Err(refused) if refused.status.is_client_error() => {
            page(console, &frame, &acts, with_images_kept(typed), Shown::Again(Some(refused))).await
        }
        Err(refused) => Err(refused.into()),
    }
}
