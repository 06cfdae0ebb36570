//! `/console/components/{id}/sources`: how what several integrations say of a component becomes one status, and what it depends on.

use askama::Template;
use domain::{ComponentId, Effect, MAX_DEPENDENCIES, MAX_QUORUM, MAX_THRESHOLD, MAX_WEIGHT, Resource, THRESHOLD_STATUSES};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Map, Value, json};
use storage::{combine, components, integrations};

use super::{
    Console,
    acts::{Acts, sentence},
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    meanwhile::{Field, Meanwhile, Version},
    seen::{Seen, Sent, Typed},
};
use crate::admin::Refused;

/// Empty rows for dependencies, beside those there are.
const N_EMPTY: usize = 3;

pub(super) fn routes(table: Table) -> Table {
    let write = Needs::write(Resource::Components);
    table.get("/console/components/:id/sources", write, form).post("/console/components/:id/sources", write, save)
}

/// The ways in which sources add up, and what each means.
const WAYS: [(&str, &str, &str); 3] = [
    ("worst", "Any of them decides", "the worst of what they say"),
    ("quorum", "Several must agree", "the worst that so many of them agree on"),
    ("weighted", "Some weigh more", "the worst that sources of enough weight agree on"),
];

/// What an effect means.
const fn meaning(effect: Effect) -> &'static str {
    match effect {
        Effect::Label => "name it as the cause",
        Effect::Cap => "show no worse than it",
        Effect::Silence => "open no incident of it",
        Effect::Inherit => "be degraded at least",
    }
}

/// An integration that speaks of the component, or has a weight.
struct Source {
    key: String,
    name: String,
}

#[derive(Template)]
#[template(path = "console/sources.html")]
struct Form<'a> {
    frame: &'a Frame,
    component: &'a Value,
    typed: &'a Typed,
    sources: Vec<Source>,
    /// What can be depended on, by key.
    others: Vec<(String, String)>,
    refused: Option<&'a Refused>,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

impl Form<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }

    fn is_way(&self, way: &str) -> bool {
        self.typed.text("combine") == way
    }

    fn weight(&self, source: &Source) -> &str {
        self.typed.text(&format!("weight-{}", source.key))
    }

    fn needed(&self, status: &str) -> &str {
        self.typed.text(&format!("needs-{status}"))
    }

    fn wrong_weight(&self, source: &Source) -> Option<String> {
        self.wrong(&format!("combine.weights.{}", source.key))
    }

    fn wrong_threshold(&self, status: &str) -> Option<String> {
        self.wrong(&format!("combine.thresholds.{status}"))
    }

    /// What is wrong with a row of the form: rows that are left empty are none of the request.
    fn wrong_dependency(&self, row: &usize) -> Option<String> {
        let place = rows(self.typed).iter().position(|known| known == row)?;
        self.wrong(&format!("depends_on[{place}]"))
    }

    /// What is wrong with all of them together.
    fn wrong_chain(&self) -> Option<String> {
        let refused = self.refused?;
        refused.fields.iter().find(|(field, _)| field == "depends_on").map(|(_, message)| sentence(message))
    }

    fn thresholds(&self) -> impl Iterator<Item = (&'static str, String)> {
        THRESHOLD_STATUSES.iter().map(|status| (status.as_str(), status.as_str().replace('_', " ")))
    }

    fn effects(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        Effect::ALL.iter().map(|effect| (effect.as_str(), meaning(*effect)))
    }

    /// The rows for dependencies: those that are filled in, and some that are not.
    fn rows(&self) -> std::ops::Range<usize> {
        let filled = rows(self.typed).last().map_or(0, |last| last + 1);
        0..(filled + N_EMPTY).min(MAX_DEPENDENCIES)
    }

    fn at(&self, name: &str, row: &usize) -> &str {
        self.typed.text(&format!("{name}-{row}"))
    }
}

/// The rows in which something is named.
fn rows(typed: &Typed) -> Vec<usize> {
    (0..MAX_DEPENDENCIES).filter(|row| typed.given(&format!("on-{row}")).is_some()).collect()
}

/// What is stored, as the form has it.
fn from_component(component: &Value) -> Typed {
    let (mut typed, combine) = (Typed::default(), component.part("combine"));
    let way = match (combine.has("quorum"), combine.is_null()) {
        (true, _) => "quorum",
        (_, true) => "worst",
        _ => "weighted",
    };
    typed.add("combine", way);
    if combine.has("quorum") {
        typed.add("quorum", combine.number("quorum").to_string());
    }
    for (prefix, part) in [("weight", "weights"), ("needs", "thresholds")] {
        for (name, number) in combine.part(part).as_object().into_iter().flatten().filter(|(_, number)| !number.is_null()) {
            typed.add(&format!("{prefix}-{name}"), number.to_string());
        }
    }
    for (row, one) in component.list("depends_on").iter().enumerate() {
        for (name, part) in [("on", "component"), ("effect", "effect"), ("settle", "settle")] {
            typed.add(&format!("{name}-{row}"), one.text(part));
        }
    }
    typed
}

/// What the operation takes; or what is no number, by field.
fn to_patch(typed: &Typed, sources: &[Source]) -> Result<Value, Refused> {
    let combine = match typed.text("combine") {
        "quorum" => json!({ "quorum": number(typed, "quorum", "combine.quorum")? }),
        "weighted" => {
            let (mut weights, mut thresholds) = (Map::new(), Map::new());
            for source in sources {
                let field = format!("weight-{}", source.key);
                if typed.given(&field).is_some() {
                    weights.insert(source.key.clone(), number(typed, &field, &format!("combine.weights.{}", source.key))?.into());
                }
            }
            for status in THRESHOLD_STATUSES {
                let field = format!("needs-{status}");
                if typed.given(&field).is_some() {
                    let needed = number(typed, &field, &format!("combine.thresholds.{status}"))?;
                    thresholds.insert(status.as_str().to_owned(), needed.into());
                }
            }
            json!({ "weights": weights, "thresholds": thresholds })
        }
        _ => Value::Null,
    };
    let depends_on: Vec<Value> = rows(typed).iter().map(|row| dependency(typed, *row)).collect();
    Ok(json!({ "combine": combine, "depends_on": depends_on }))
}

fn number(typed: &Typed, field: &str, name: &str) -> Result<u32, Refused> {
    let refuse = |why: &str| Refused {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        detail: format!("`{name}` {why}"),
        fields: vec![(name.to_owned(), why.to_owned())],
    };
    typed.text(field).parse().map_err(|_| refuse("must be a whole number that is not negative"))
}

fn dependency(typed: &Typed, row: usize) -> Value {
    let of = |name: &str| typed.given(&format!("{name}-{row}"));
    let effect = of("effect").unwrap_or(Effect::Label.as_str());
    let mut one = json!({ "component": of("on"), "effect": effect });
    // Only one effect has it: a field that another effect does not use is not in its way.
    if let Some(settle) = of("settle").filter(|_| effect == Effect::Silence.as_str()) {
        one["settle"] = settle.into();
    }
    one
}

/// What can be changed at once, in words.
fn fields(component: &Value) -> Vec<Field> {
    let dependency = |one: &Value| {
        let settle = one.text("settle");
        let comma = if settle.is_empty() { "" } else { ", " };
        format!("{} ({}{comma}{settle})", one.text("component"), one.text("effect"))
    };
    let depends_on: Vec<String> = component.list("depends_on").iter().map(dependency).collect();
    vec![
        Field::new("combine", "How its sources add up", in_words(component.part("combine"))),
        Field::new("depends_on", "What it depends on", depends_on.join(", ")),
    ]
}

fn in_words(combine: &Value) -> String {
    if combine.is_null() {
        return "any of them decides".to_owned();
    }
    if combine.has("quorum") {
        return format!("{} must agree", combine.number("quorum"));
    }
    let numbers = |part: &str| {
        let given = combine.part(part).as_object().into_iter().flatten().filter(|(_, number)| !number.is_null());
        given.map(|(name, number)| format!("{name} {number}")).collect::<Vec<_>>().join(", ")
    };
    format!("by weight: {}; needed: {}", numbers("weights"), numbers("thresholds"))
}

/// Compares what the form was opened on with what is stored, and puts what was not touched as it is now.
fn compare(opened: &Version, component: &Value, patch: Option<&Value>) -> Option<(Meanwhile, Option<Typed>)> {
    let mine = patch.map(fields).unwrap_or_default();
    let of_mine =
        |name: &str| Some(mine.iter().find(|field| field.name == name).map_or_else(|| "?".to_owned(), |field| field.value.clone()));
    let meanwhile = Meanwhile::new(opened, fields(component), of_mine);
    if opened.was.is_empty() || meanwhile.changed.is_empty() {
        return None;
    }
    let merge = |patch: &Value| {
        let newest = |name: &str| if meanwhile.taken(name).is_some() { component.part(name) } else { patch.part(name) };
        from_component(&json!({ "combine": newest("combine"), "depends_on": newest("depends_on") }))
    };
    let merged = patch.map(merge);
    Some((meanwhile, merged))
}

async fn load(console: &Console, component: &Value) -> Result<(Vec<Source>, Vec<(String, String)>), Failure> {
    let mut conn = console.db.read().await?;
    let mut keys = combine::sources(&mut conn, ComponentId(component.number("id"))).await?;
    keys.extend(component.part("combine").part("weights").as_object().into_iter().flatten().map(|(key, _)| key.clone()));
    keys.sort();
    keys.dedup();
    let mut sources = Vec::with_capacity(keys.len());
    for key in keys {
        let name = integrations::outline_of_key(&mut conn, &key).await?.map_or_else(|| key.clone(), |known| known.name);
        sources.push(Source { key, name });
    }
    let own = component.text("key");
    let others = components::names(&mut conn).await?.into_iter().filter(|(key, _)| key != own).collect();
    Ok((sources, others))
}

async fn find(acts: &Acts, id: i64) -> Result<Value, Failure> {
    Ok(acts.get(&format!("/components/{id}")).await?)
}

#[handler]
async fn form(frame: Frame, acts: Acts, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let component = find(&acts, id).await?;
    let (sources, others) = load(console, &component).await?;
    let (typed, version) = (from_component(&component), Version::new("", &fields(&component)));
    let shown = Form { frame: &frame, component: &component, typed: &typed, sources, others, refused: None, version, meanwhile: None };
    Ok(show(StatusCode::OK, &shown))
}

#[handler]
async fn save(frame: Frame, acts: Acts, Path(id): Path<i64>, Data(console): Data<&Console>, sent: Sent) -> Result<Response, Failure> {
    let (component, typed) = (find(&acts, id).await?, Typed::from(sent));
    let (sources, others) = load(console, &component).await?;
    let patch = to_patch(&typed, &sources);
    // Only what the form shows is compared: signals change the rest all the time.
    let opened = Version { etag: String::new(), was: typed.text("was").to_owned() };
    if let Some((meanwhile, merged)) = compare(&opened, &component, patch.as_ref().ok()) {
        let (typed, version) = (merged.as_ref().unwrap_or(&typed), Version::new("", &fields(&component)));
        let meanwhile = Some(meanwhile);
        let shown = Form { frame: &frame, component: &component, typed, sources, others, refused: None, version, meanwhile };
        return Ok(show(StatusCode::PRECONDITION_FAILED, &shown));
    }
    let saved = match patch {
        Ok(patch) => acts.patch(&format!("/components/{id}"), &patch, None).await,
        Err(refused) => Err(refused),
    };
    match saved {
        Ok(_) => Ok(see_other(&format!("/console/components/{id}"))),
        Err(refused) if refused.status.is_client_error() => {
            let (version, status) = (Version::new("", &fields(&component)), refused.status);
            let refused = Some(&refused);
            let shown = Form { frame: &frame, component: &component, typed: &typed, sources, others, refused, version, meanwhile: None };
            Ok(show(status, &shown))
        }
        Err(refused) => Err(refused.into()),
    }
}
