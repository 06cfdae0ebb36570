//! Whether those who want to know are told: what happened is compared with what is owed, and with what has arrived.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    app::App,
    history::{History, Moved, published_incidents, steps, text},
    servers::{smtp::Mail, webhooks::Received},
};

/// Something that readers saw happen.
struct Seen {
    at: String,
    /// What the kind of its notice begins with.
    kind: &'static str,
    /// The keys of the components that it names.
    components: BTreeSet<String>,
}

/// Compares the history with the rows of notifications: whatever readers saw happen since a subscriber came is owed to it once, if it
/// is in its scope, and nothing else is.
pub(crate) async fn every_change_makes_one_notification_for_each_subscriber(app: &App) -> Result<()> {
    let seen = what_was_seen(app).await?;
    let mut owed: BTreeMap<i64, Vec<(String, String)>> = BTreeMap::new();
    for notification in app.admin_list("/notifications").await? {
        let state = text(&notification["state"]);
        ensure!(["delivered", "dead", "cancelled"].contains(&state.as_str()), "left over: {notification}");
        let kind = text(&notification["kind"]);
        let (about, _) = kind.split_once('.').context("a kind has two parts")?;
        if ["incident", "component"].contains(&about) {
            let subscriber = notification["subscriber"].as_i64().context("a subscriber")?;
            owed.entry(subscriber).or_default().push((text(&notification["created_at"]), about.to_owned()));
        }
    }
    for subscriber in app.admin_list("/subscribers").await? {
        let mut wanted: Vec<_> =
            seen.iter().filter(|seen| concerns(seen, &subscriber)).map(|seen| (seen.at.clone(), seen.kind.to_owned())).collect();
        wanted.sort();
        let mut owed = owed.remove(&subscriber["id"].as_i64().context("an id")?).unwrap_or_default();
        owed.sort();
        ensure!(wanted == owed, "{} should be told\n{wanted:?}\nand is told\n{owed:?}", subscriber["address"]);
    }
    ensure!(owed.is_empty(), "nobody is owed {owed:?}");
    Ok(())
}

async fn what_was_seen(app: &App) -> Result<Vec<Seen>> {
    let (mut seen, mut visible) = (Vec::new(), BTreeSet::new());
    for component in app.admin_list("/components").await?.iter().filter(|component| component["hidden"] == false) {
        visible.insert(text(&component["key"]));
        let steps = steps(app, component).await?.into_iter();
        seen.extend(steps.map(|step| Seen { at: step.at, kind: "component", components: [step.moved.component].into() }));
    }
    for incident in published_incidents(app).await? {
        let affected = keys(&incident);
        let general = affected.is_empty() && incident["opened_by"].is_null();
        if !general && affected.is_disjoint(&visible) {
            continue;
        }
        for update in incident["updates"].as_array().context("a timeline")? {
            if incident["added_at"].is_string() && update["at"] == incident["added_at"] {
                continue; // It was over before it was heard of: news for nobody.
            }
            let components = affected.union(&keys(update)).filter(|key| visible.contains(*key)).cloned().collect();
            seen.push(Seen { at: text(&update["at"]), kind: "incident", components });
        }
    }
    Ok(seen)
}

fn keys(of: &Value) -> BTreeSet<String> {
    of["components"].as_array().into_iter().flatten().map(|affected| text(&affected["component"])).collect()
}

fn concerns(seen: &Seen, subscriber: &Value) -> bool {
    let (since, until) = (subscriber["confirmed_at"].as_str(), subscriber["disabled_at"].as_str());
    let there = since.is_some_and(|since| since <= seen.at.as_str()) && until.is_none_or(|until| seen.at.as_str() <= until);
    let wants = subscriber["channel"] == "webhook" || seen.kind == "incident";
    let scope = subscriber["components"].as_array();
    there && wants && scope.is_none_or(|keys| keys.iter().any(|key| seen.components.contains(&text(key))))
}

/// What has arrived at a webhook: every step of every component and every entry of every timeline at least once; what came more than
/// once is the same, byte for byte, under the same id. Returns how many came again.
pub(crate) fn webhook_was_told_everything(history: &History, received: &[Received], secret: &str) -> Result<usize> {
    let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for request in received {
        request.verify(secret).context("the signature of every try holds")?;
        let id = request.id().context("an id")?;
        ensure!(*bodies.entry(id).or_insert(&request.body) == request.body, "{id} says two different things");
    }
    let (mut statuses, mut entries) = (Vec::new(), Vec::new());
    for body in bodies.values() {
        let body: Value = serde_json::from_slice(body)?;
        let data = &body["data"];
        if let Some(component) = data.get("component") {
            statuses.push(moved(component));
        }
        if let Some(update) = data.get("update") {
            let moved: Vec<Moved> = update["components"].as_array().context("what moved")?.iter().map(moved).collect();
            entries.push((text(&data["incident"]["title"]), text(&update["status"]), text(&update["body"]), moved));
        }
    }
    let mut wanted_statuses: Vec<Moved> = history.statuses.values().flatten().cloned().collect();
    let stories = history.incidents.values().flatten();
    let all = stories.flat_map(|story| story.entries.iter().map(move |entry| (story.title.clone(), entry)));
    let mut wanted: Vec<_> = all.map(|(title, entry)| (title, entry.status.clone(), entry.body.clone(), entry.moved.clone())).collect();
    for list in [&mut wanted_statuses, &mut statuses] {
        list.sort();
    }
    for list in [&mut wanted, &mut entries] {
        list.sort();
    }
    ensure!(wanted_statuses == statuses, "of {} steps {} were told", wanted_statuses.len(), statuses.len());
    ensure!(wanted == entries, "of {} entries {} were told", wanted.len(), entries.len());
    Ok(received.len() - bodies.len())
}

fn moved(component: &Value) -> Moved {
    Moved { component: text(&component["key"]), from: text(&component["old_status"]), to: text(&component["new_status"]) }
}

/// What has arrived by mail: every entry of every timeline at least once; what came more than once is the same but for its date, under
/// the same `Message-ID`. Returns how many came again.
pub(crate) fn reader_was_told_everything(history: &History, mails: &[Mail]) -> Result<usize> {
    let mut letters: BTreeMap<String, String> = BTreeMap::new();
    for mail in mails {
        let (id, letter) = letter(mail)?;
        ensure!(*letters.entry(id.clone()).or_insert_with(|| letter.clone()) == letter, "{id} says two different things");
    }
    ensure!(letters.len() == history.n_entries(), "of {} entries {} were told", history.n_entries(), letters.len());
    Ok(mails.len() - letters.len())
}

/// The id of a mail, and the mail without its date and the random word that its parts are separated by.
fn letter(mail: &Mail) -> Result<(String, String)> {
    let raw = String::from_utf8(mail.raw.clone())?;
    let field = |name: &str| raw.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
    let id = field("Message-ID:").context("a Message-ID")?;
    let boundary = raw.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).context("several parts")?;
    let lines = raw.lines().filter(|line| !line.starts_with("Date:"));
    Ok((id, lines.collect::<Vec<_>>().join("\n").replace(boundary, "")))
}
