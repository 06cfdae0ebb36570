//! `fanal replay`: the fold over all stored deliveries must give what is stored.

mod compare;
mod folded;

use std::collections::{BTreeMap, HashMap};

use domain::{IncidentId, IntegrationId, State, Timestamp};
use integrations::Settings;
use jobs::evaluator;
use storage::{
    Db, Entry, SecretBox, audit, comparison, fates, hub, ledger,
    rows::{self, IncidentFilter},
    state,
};

use crate::{actor, commands::print, config::Config};
use compare::{Comparison, Stored};
use folded::Folded;

/// Rows read at once.
const AT_ONCE: i64 = 250;
/// The position that the first delivery of all gets.
const FIRST_POSITION: i64 = 1;
/// What is never compared, and why.
const NEVER_COMPARED: &str = "words and titles, notices and notifications, maintenances, overrides and what waits to be taken back: \
                              people write them, or they are made of names and templates as they were then";

/// Folds, compares, and says what was not compared; an error if anything differs.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let (db, secrets) = (config.open().await?, config.secrets()?);
    let Comparison { n_deliveries, n_things, n_incidents, n_days, n_samples, differences, left_out, .. } =
        fold_and_compare(&db, &secrets).await?;
    let after = serde_json::json!({ "deliveries": n_deliveries, "differences": differences.len() });
    audit::note(&db, &secrets, &actor::act(&actor::at_the_command_line(), "state.replay", None, after)).await?;
    db.close().await;
    for difference in &differences {
        print(difference);
    }
    if differences.is_empty() {
        print(&format!("{n_deliveries} deliveries about {n_things} things, folded again, give exactly the stored state."));
    }
    print(&format!(
        "Compared: alerts, their causes, the statuses of components, {n_incidents} incidents with their entries, {n_days} days of bars, \
         {n_samples} samples of metrics."
    ));
    for left_out in left_out.iter().map(String::as_str).chain([NEVER_COMPARED]) {
        print(&format!("Not compared: {left_out}."));
    }
    if differences.is_empty() {
        return Ok(());
    }
    anyhow::bail!("the fold differs from the stored state; people's acts and configuration changes since are not deliveries")
}

async fn fold_and_compare(db: &Db, secrets: &SecretBox) -> anyhow::Result<Comparison> {
    // In a transaction of its own that is never committed: nothing is written.
    let mut entry = ledger::begin(db, None).await?;
    let state = state::load(&mut entry).await?;
    let mut folded = Folded::new(state::load(&mut entry).await?);
    let providers = hub::load(&mut entry.tx, secrets).await?;
    let providers: HashMap<IntegrationId, (String, Settings)> =
        providers.into_iter().map(|i| (i.id, (i.provider, Settings::new(i.settings)))).collect();
    let (mut after, mut begins) = (0, None);
    loop {
        let batch = fates::evaluated(&mut entry.tx, after, AT_ONCE).await?;
        let Some((last, _)) = batch.last() else { break };
        after = *last;
        for (position, delivery) in &batch {
            let at = delivery.evaluated_at.unwrap_or(delivery.received_at);
            begins.get_or_insert((*position, at));
            folded.pass(at);
            let read = providers.get(&delivery.integration).map(|(provider, settings)| evaluator::parse(provider, settings, delivery));
            folded.take(delivery, &read.unwrap_or(Ok(Vec::new())).unwrap_or_default());
        }
    }
    folded.pass_quietly(state.clock);
    // Where the very first delivery is still there, so are all that changed anything.
    let since = begins.filter(|(position, _)| *position > FIRST_POSITION).map(|(_, at)| at);
    let stored = stored(&mut entry, state).await?;
    let mut found = compare::compare(&stored, &folded, since);
    for (metric, samples) in folded.samples() {
        let (mut after, mut rest) = (Timestamp(i64::MIN), samples.clone());
        loop {
            let portion = comparison::samples(&mut entry.tx, metric, after, AT_ONCE * 40).await?;
            let Some(last) = portion.last() else { break };
            after = last.at;
            found.take_samples(metric, &portion, &mut rest);
        }
        found.miss_samples(metric, &rest);
    }
    Ok(found.end())
}

async fn stored(entry: &mut Entry, state: State) -> anyhow::Result<Stored> {
    let mut incidents = BTreeMap::new();
    let mut before = i64::MAX;
    loop {
        let page = rows::incidents_that(&mut entry.tx, &IncidentFilter::default(), before, AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        before = last.id.0;
        let ids: Vec<IncidentId> = page.iter().map(|incident| incident.id).collect();
        let mut updates: HashMap<IncidentId, Vec<_>> = HashMap::new();
        for update in rows::incident_updates(&mut entry.tx, &ids).await? {
            updates.entry(update.incident).or_default().push(update);
        }
        incidents.extend(page.into_iter().map(|incident| (incident.id, (updates.remove(&incident.id).unwrap_or_default(), incident))));
    }
    let days = comparison::days(&mut entry.tx).await?;
    Ok(Stored { touched: comparison::touched(&mut entry.tx).await?, state, incidents, days })
}
