//! What the database holds of configuration, with the rows it stands in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    Combine, ComponentId, ComponentSpec, DEFAULT_VALUE, Dependency, Desired, GroupSpec, IntegrationSpec, MetricFeed, MetricSpec, RouteSpec,
    Secret, Span, SubscriberSpec,
};

use super::{series, templates};
use crate::{
    Connection, StorageError, combine,
    db::sql,
    dependencies, images,
    rows::{self, json, named},
    silence,
};

/// A row of something that has a place in a list.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) position: i32,
}

/// An integration's row, and those of its routes and secrets in the order of the specification.
#[derive(Default)]
pub(super) struct IntegrationRow {
    pub(super) id: i64,
    pub(super) routes: Vec<Row>,
    pub(super) secrets: Vec<i64>,
}

/// What is stored. The rows of a list stand in the order of its entries in `desired`.
pub(super) struct Stored {
    pub(super) desired: Desired,
    pub(super) groups: Vec<Row>,
    pub(super) components: Vec<Row>,
    pub(super) metrics: Vec<Row>,
    pub(super) integrations: Vec<IntegrationRow>,
    pub(super) subscribers: Vec<i64>,
    /// The ids of series, by key.
    pub(super) series: HashMap<String, i64>,
    /// The ids of incident templates, by key.
    pub(super) templates: HashMap<String, i64>,
}

impl Stored {
    pub(super) async fn load(conn: &mut Connection) -> Result<Self, StorageError> {
        let page = rows::page_settings(conn).await?;
        let images = images::all(conn).await?;
        let (group_specs, groups) = load_groups(conn).await?;
        let (mut component_specs, components) = load_components(conn, &keys(&groups, &group_specs, |spec| &spec.key)).await?;
        let (metric_specs, metrics) = load_metrics(conn).await?;
        let component_keys = keys(&components, &component_specs, |spec| &spec.key);
        let metric_keys = keys(&metrics, &metric_specs, |spec| &spec.key);
        let (integration_specs, integrations) = load_integrations(conn, &component_keys, &metric_keys).await?;
        let integration_keys: Keys = integrations.iter().zip(&integration_specs).map(|(row, spec)| (row.id, spec.key.clone())).collect();
        load_sources(conn, &mut component_specs, &components, &component_keys, &integration_keys).await?;
        let (subscriber_specs, subscribers) = load_subscribers(conn, &component_keys).await?;
        let (maintenance_series, series) = series::load(conn, &component_keys).await?;
        let (incident_templates, templates) = templates::load(conn, &component_keys).await?;
        let desired = Desired {
            page,
            images,
            groups: group_specs,
            components: component_specs,
            integrations: integration_specs,
            metrics: metric_specs,
            subscribers: subscriber_specs,
            maintenance_series,
            incident_templates,
        };
        Ok(Self { desired, groups, components, metrics, integrations, subscribers, series, templates })
    }
}

/// The keys of what is stored, by id.
pub(crate) type Keys = HashMap<i64, String>;

fn keys<T>(rows: &[Row], specs: &[T], key: impl Fn(&T) -> &String) -> Keys {
    rows.iter().zip(specs).map(|(row, spec)| (row.id, key(spec).clone())).collect()
}

async fn load_groups(conn: &mut Connection) -> Result<(Vec<GroupSpec>, Vec<Row>), StorageError> {
    let groups = rows::groups(conn).await?;
    let keys: HashMap<_, _> = groups.iter().map(|group| (group.id, group.key.clone())).collect();
    let parent = |id| keys.get(&id).cloned();
    Ok(groups
        .into_iter()
        .map(|group| {
            let row = Row { id: group.id.0, position: group.position };
            (GroupSpec { key: group.key, name: group.name, parent: group.parent.and_then(parent) }, row)
        })
        .unzip())
}

async fn load_components(conn: &mut Connection, groups: &Keys) -> Result<(Vec<ComponentSpec>, Vec<Row>), StorageError> {
    let components = rows::components(conn).await?;
    Ok(components
        .into_iter()
        .map(|component| {
            let row = Row { id: component.id.0, position: component.position };
            let spec = ComponentSpec {
                key: component.key,
                name: component.name,
                description: component.description,
                group: component.group.and_then(|id| groups.get(&id.0).cloned()),
                hidden: component.hidden,
                combine: Combine::Worst,
                depends_on: BTreeSet::new(),
            };
            (spec, row)
        })
        .unzip())
}

/// How the sources of components add up, and what they depend on.
async fn load_sources(
    conn: &mut Connection,
    specs: &mut [ComponentSpec],
    rows: &[Row],
    components: &Keys,
    integrations: &Keys,
) -> Result<(), StorageError> {
    let mut combined = combine::all(conn).await?;
    let dependencies = dependencies::all(conn).await?;
    for (spec, row) in specs.iter_mut().zip(rows) {
        let id = ComponentId(row.id);
        spec.combine = combined.remove(&id).unwrap_or_default().rename(|id| integrations.get(&id.0).cloned());
        let by_key = |one: &Dependency| {
            let component = components.get(&one.component.0)?.clone();
            Some(Dependency { component, effect: one.effect, settle: one.settle })
        };
        spec.depends_on = dependencies.of(id).iter().filter_map(by_key).collect();
    }
    Ok(())
}

async fn load_metrics(conn: &mut Connection) -> Result<(Vec<MetricSpec>, Vec<Row>), StorageError> {
    let rows: Vec<(i64, String, String, String, i32)> = sql!(conn, c => sqlx::query_as(
        "select metric_id, key, name, unit, position from metric order by position, metric_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(id, key, name, unit, position)| (MetricSpec { key, name, unit }, Row { id, position })).unzip())
}

type StoredIntegration = (i64, String, String, String, String, bool, Option<i64>);

async fn load_integrations(
    conn: &mut Connection,
    components: &Keys,
    metrics: &Keys,
) -> Result<(Vec<IntegrationSpec>, Vec<IntegrationRow>), StorageError> {
    let rows: Vec<StoredIntegration> = sql!(conn, c => sqlx::query_as(
        "select integration_id, key, provider, name, settings, enabled, silent_after from integration order by integration_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    let mut secrets = load_secrets(conn).await?;
    let mut routes = load_routes(conn, components, metrics, None).await?;
    let mut specs = Vec::with_capacity(rows.len());
    let mut ids = Vec::with_capacity(rows.len());
    for (id, key, provider, name, settings, enabled, silent_after) in rows {
        let (secrets, secret_ids) = secrets.remove(&id).unwrap_or_default().into_iter().unzip();
        let (routes, route_rows) = routes.remove(&id).unwrap_or_default().into_iter().unzip();
        let settings = json(&settings, "integration", "settings")?;
        specs.push(IntegrationSpec {
            key,
            provider,
            name,
            settings,
            secrets,
            enabled,
            silent_after: silence::from_column(silent_after),
            routes,
        });
        ids.push(IntegrationRow { id, routes: route_rows, secrets: secret_ids });
    }
    Ok((specs, ids))
}

async fn load_secrets(conn: &mut Connection) -> Result<HashMap<i64, Vec<(Secret, i64)>>, StorageError> {
    let rows: Vec<(i64, i64, String)> = sql!(conn, c => sqlx::query_as(
        "select secret_id, integration_id, fingerprint from integration_secret order by secret_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    let mut found: HashMap<i64, Vec<(Secret, i64)>> = HashMap::new();
    for (id, integration, fingerprint) in rows {
        found.entry(integration).or_default().push((Secret { fingerprint, value: None }, id));
    }
    Ok(found)
}

/// The routes of every integration, or of one.
pub(crate) async fn load_routes(
    conn: &mut Connection,
    components: &Keys,
    metrics: &Keys,
    only: Option<i64>,
) -> Result<HashMap<i64, Vec<(RouteSpec, Row)>>, StorageError> {
    let pairs = rows::route_components(conn, only).await?;
    let mut parts = grouped(pairs, components);
    let mut found: HashMap<i64, Vec<(RouteSpec, Row)>> = HashMap::new();
    for row in rows::routes(conn, only).await? {
        let metric = row.metric_id.and_then(|id| metrics.get(&id).cloned());
        let spec = RouteSpec {
            status: row.status()?,
            publish: row.publish()?,
            policy: row.policy()?,
            when: row.condition,
            components: parts.remove(&row.route_id).unwrap_or_default(),
            hold: Span(row.for_ms),
            keep_firing_for: Span(row.keep_firing_for),
            expire_after: Span(row.expire_after),
            cool_off: Span(row.cool_off),
            title: row.title,
            body: row.body,
            metric: metric.map(|key| MetricFeed { key, value: row.value.unwrap_or_else(|| DEFAULT_VALUE.to_owned()) }),
        };
        found.entry(row.integration_id).or_default().push((spec, Row { id: row.route_id, position: row.position }));
    }
    Ok(found)
}

async fn load_subscribers(conn: &mut Connection, components: &Keys) -> Result<(Vec<SubscriberSpec>, Vec<i64>), StorageError> {
    let rows: Vec<(i64, String, String, Option<String>, bool)> = sql!(conn, c => sqlx::query_as(
        "select subscriber_id, channel, address, secret_fingerprint, scoped from subscriber where managed order by subscriber_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    let pairs = sql!(conn, c => sqlx::query_as(
        "select p.subscriber_id, p.component_id from subscriber_component p
         join subscriber s on s.subscriber_id = p.subscriber_id where s.managed",
    )
    .fetch_all(&mut *c)
    .await)?;
    let mut scopes = grouped(pairs, components);
    let mut specs = Vec::with_capacity(rows.len());
    let mut ids = Vec::with_capacity(rows.len());
    for (id, channel, address, fingerprint, scoped) in rows {
        specs.push(SubscriberSpec {
            channel: named(&channel, "subscriber", "channel")?,
            address,
            secret: fingerprint.map(|fingerprint| Secret { fingerprint, value: None }),
            components: scoped.then(|| scopes.remove(&id).unwrap_or_default()),
        });
        ids.push(id);
    }
    Ok((specs, ids))
}

/// The keys of the components that belong to each owner.
fn grouped(pairs: Vec<(i64, i64)>, components: &Keys) -> BTreeMap<i64, BTreeSet<String>> {
    let mut found: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for (owner, component) in pairs {
        found.entry(owner).or_default().extend(components.get(&component).cloned());
    }
    found
}
