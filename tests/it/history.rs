//! What has happened, as the API tells it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::app::App;

/// One step of a component, or one entry of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moved {
    pub(crate) component: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// An entry of an incident's timeline, without what depends on the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) status: String,
    pub(crate) body: String,
    pub(crate) moved: Vec<Moved>,
}

/// An incident from its beginning to now, without what depends on the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Story {
    pub(crate) title: String,
    pub(crate) status: String,
    pub(crate) impact: String,
    pub(crate) entries: Vec<Entry>,
}

/// What readers have seen happen, in a form that is the same for every run of the same webhooks: by component, in order, without ids
/// and times.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// By the component's key: the statuses it went through.
    pub(crate) statuses: BTreeMap<String, Vec<Moved>>,
    /// By the key of the first component they name.
    pub(crate) incidents: BTreeMap<String, Vec<Story>>,
}

impl History {
    pub(crate) async fn read(app: &App) -> Result<Self> {
        let mut history = Self::default();
        for component in app.admin_list("/components").await? {
            let key = text(&component["key"]);
            history.statuses.insert(key.clone(), steps(app, &component).await?.into_iter().map(|step| step.moved).collect());
        }
        for incident in published_incidents(app).await? {
            let key = text(&incident["components"][0]["component"]);
            history.incidents.entry(key).or_default().push(story(&incident)?);
        }
        Ok(history)
    }

    pub(crate) fn n_statuses(&self) -> usize {
        self.statuses.values().map(Vec::len).sum()
    }

    pub(crate) fn n_entries(&self) -> usize {
        self.incidents.values().flatten().map(|story| story.entries.len()).sum()
    }
}

/// A step of a component that readers saw.
pub(crate) struct StatusStep {
    pub(crate) at: String,
    pub(crate) moved: Moved,
}

/// The steps of a component that readers saw, oldest first.
pub(crate) async fn steps(app: &App, component: &Value) -> Result<Vec<StatusStep>> {
    let key = text(&component["key"]);
    let changes = app.admin_list(&format!("/components/{}/changes", component["id"])).await?;
    let step = |change: &Value| {
        let (from, to) = (text(&change["data"]["from"]), text(&change["data"]["to"]));
        let seen = change["kind"] == "component_status" && from != to;
        seen.then(|| StatusStep { at: text(&change["at"]), moved: Moved { component: key.clone(), from, to } })
    };
    Ok(changes.iter().rev().filter_map(step).collect())
}

/// Every published incident with its timeline, oldest first.
pub(crate) async fn published_incidents(app: &App) -> Result<Vec<Value>> {
    let mut incidents = Vec::new();
    for listed in app.admin_list("/incidents").await?.into_iter().rev() {
        if listed["published"] == true {
            incidents.push(app.admin(&format!("/incidents/{}", listed["id"])).await?);
        }
    }
    Ok(incidents)
}

fn story(incident: &Value) -> Result<Story> {
    let updates = incident["updates"].as_array().context("a timeline")?;
    let entries = updates.iter().rev().map(|update| {
        let moved = update["components"].as_array().context("what moved")?.iter();
        let moved = moved.map(|moved| Moved { component: text(&moved["component"]), from: text(&moved["from"]), to: text(&moved["to"]) });
        Ok(Entry { status: text(&update["status"]), body: text(&update["body"]), moved: moved.collect() })
    });
    Ok(Story {
        title: text(&incident["title"]),
        status: text(&incident["status"]),
        impact: text(&incident["impact"]),
        entries: entries.collect::<Result<_>>()?,
    })
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
