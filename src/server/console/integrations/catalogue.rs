//! Every kind of sender there is, and the form that adds one.

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use integrations::{PROVIDERS, Provider, Settings};
use poem::{Response, handler, http::StatusCode, web::Path};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{guide, logo, setup_page, way, way_in_words};
use crate::{
    admin::Refused,
    console::{
        acts::{Acts, sentence},
        failure::Failure,
        frame::{Frame, show},
        seen::{Asked, Seen, Sent, Typed},
        session::Person,
    },
};

#[derive(Template)]
#[template(path = "console/catalogue.html")]
struct Catalogue<'a> {
    frame: &'a Frame,
    query: &'a str,
    entries: Vec<Entry>,
    n_all: usize,
}

struct Entry {
    provider: &'static Provider,
    way: &'static str,
    logo: String,
    line: String,
}

#[handler]
pub(super) fn page(frame: Frame, asked: Asked) -> Response {
    let asked = Typed::from(asked);
    let words: Vec<String> = asked.text("q").split_whitespace().map(str::to_lowercase).collect();
    let entry = |provider: &&'static Provider| Entry { provider, way: way(provider), logo: logo(provider), line: line(provider) };
    let fits = |entry: &Entry| {
        let text = format!("{} {} {} {}", entry.provider.slug, entry.provider.name, entry.way, entry.line).to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let mut entries: Vec<Entry> = PROVIDERS.iter().map(entry).filter(fits).collect();
    entries.sort_by_key(|entry| entry.provider.name.to_lowercase());
    show(StatusCode::OK, &Catalogue { frame: &frame, query: asked.text("q"), entries, n_all: PROVIDERS.len() })
}

/// What a kind is for, in a line: the first sentence of its guide, unless that begins with a step.
fn line(provider: &Provider) -> String {
    let paragraph = provider.setup.lines().skip_while(|line| line.is_empty() || line.starts_with('#'));
    let text = without_links(&paragraph.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")).replace(['`', '*'], "");
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    let sentence = text.get(..end).unwrap_or_default().trim_end_matches(':');
    if sentence.is_empty() || sentence.starts_with(|c: char| c.is_ascii_digit() || c == '|') || sentence.contains("{{") {
        return format!("{} posts its alerts to Fanal as they happen.", provider.name);
    }
    sentence.to_owned()
}

/// Markdown with the words of its links alone.
fn without_links(text: &str) -> String {
    let mut parts = text.split("](");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    plain.replace('[', "")
}

#[derive(Template)]
#[template(path = "console/integration_new.html")]
struct New<'a> {
    frame: &'a Frame,
    provider: &'static Provider,
    way: &'static str,
    way_in_words: &'static str,
    guide: String,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
}

impl New<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }
}

fn form_page(frame: &Frame, provider: &'static Provider, typed: &Typed, refused: Option<&Refused>) -> Response {
    let way = way(provider);
    let guide = guide(provider, "…", "…");
    let shown = New { frame, provider, way, way_in_words: way_in_words(way), guide, typed, refused };
    show(refused.map_or(StatusCode::OK, |refused| refused.status), &shown)
}

fn find(slug: &str) -> Result<&'static Provider, Failure> {
    integrations::find(slug).ok_or(Failure::NotFound("There is no such kind of integration."))
}

#[handler]
pub(super) fn form(frame: Frame, Path(slug): Path<String>) -> Result<Response, Failure> {
    let provider = find(&slug)?;
    let mut typed = Typed::default();
    typed.add("name", provider.name);
    typed.add("settings", example(provider.setup).unwrap_or_default());
    typed.add("secret_from", if provider.poll.is_some() { "none" } else { "made" });
    Ok(form_page(&frame, provider, &typed, None))
}

#[handler]
pub(super) async fn create(person: Person, frame: Frame, acts: Acts, Path(slug): Path<String>, sent: Sent) -> Result<Response, Failure> {
    let (provider, typed) = (find(&slug)?, Typed::from(sent));
    let settings = match read_settings(typed.text("settings")) {
        Ok(settings) => settings,
        Err(why) => return Ok(form_page(&frame, provider, &typed, Some(&refuse("settings", why)))),
    };
    let secret = match typed.text("secret_from") {
        "pasted" => Some(typed.text("secret").to_owned()),
        "none" => None,
        _ => match make_secret(provider, &settings) {
            Some(secret) => Some(secret),
            None => {
                let why = "one cannot be made here, since the sender makes it; paste it";
                return Ok(form_page(&frame, provider, &typed, Some(&refuse("secrets", why))));
            }
        },
    };
    let secrets: Vec<Value> = secret.iter().map(|secret| json!({ "value": secret })).collect();
    let mut body = json!({ "provider": slug, "name": typed.text("name"), "settings": settings, "secrets": secrets });
    if let Some(key) = typed.given("key") {
        body["key"] = Value::from(key);
    }
    match acts.post("/integrations", Some(&body)).await {
        Ok(made) => {
            let id = made.number("id");
            let shown = secret.as_deref().filter(|_| typed.text("secret_from") == "made");
            let moment = setup_page::Moment { secret: shown, is_new: true, asked: None };
            setup_page::show_with(&person, &frame, &acts, id, moment).await
        }
        Err(refused) if refused.status.is_client_error() => Ok(form_page(&frame, provider, &typed, Some(&refused))),
        Err(refused) => Err(refused.into()),
    }
}

pub(super) fn refuse(field: &str, why: impl Into<String>) -> Refused {
    let why = why.into();
    Refused { status: StatusCode::UNPROCESSABLE_ENTITY, detail: format!("`{field}` {why}"), fields: vec![(field.to_owned(), why)] }
}

/// Settings as somebody typed them: YAML or JSON; nothing at all is none.
pub(super) fn read_settings(text: &str) -> Result<Value, String> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(json!({}));
    }
    configuration::value(text).map_err(|problems| {
        let Some(first) = problems.first() else { return "cannot be read".to_owned() };
        format!("line {}: {}", first.line, first.message)
    })
}

/// A secret that this kind takes.
pub(super) fn make_secret(provider: &Provider, settings: &Value) -> Option<String> {
    let hex: String = rand::random::<[u8; 20]>().iter().map(|byte| format!("{byte:02x}")).collect();
    let standard = format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>()));
    // Settings that do not work are told as such, by whoever stores them.
    let known = if (provider.check_settings)(settings).is_ok() { settings.clone() } else { json!({}) };
    let settings = Settings::new(known);
    [hex, standard].into_iter().find(|secret| (provider.check_secret)(&SecretString::from(secret.clone()), &settings).is_ok())
}

/// The settings of a guide's example, to begin with.
fn example(guide: &str) -> Option<String> {
    let (_, rest) = guide.split_once("    settings:\n")?;
    let lines: Vec<&str> = rest.lines().take_while(|line| line.starts_with("      ")).map(|line| &line[6..]).collect();
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_line_and_those_with_an_example_begin_with_one_that_can_be_read() {
        for provider in PROVIDERS {
            let line = line(provider);
            assert!(line.len() > 15 && !line.contains(['{', '[', '`']), "{}: {line}", provider.slug);
            if let Some(settings) = example(provider.setup) {
                assert!(read_settings(&settings).is_ok_and(|settings| settings.is_object()), "{}: {settings}", provider.slug);
            }
        }
    }

    #[test]
    fn a_line_has_the_words_of_its_links() {
        assert_eq!(without_links("For [Any](https://a.example/), and [b](c) too"), "For Any, and b too");
    }

    #[test]
    fn a_secret_can_be_made_for_whoever_lets_us_choose_it() {
        for slug in ["alertmanager", "heartbeat", "github", "grafana"] {
            let provider = integrations::find(slug).unwrap();
            assert!(make_secret(provider, &json!({})).is_some(), "{slug}");
        }
        assert_eq!(read_settings(" # nothing\n").unwrap(), json!({}));
        assert!(read_settings("a: [1").unwrap_err().starts_with("line 1"));
    }
}
