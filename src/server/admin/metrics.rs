//! `/metrics`: series of numbers that the page shows.

use domain::{MAX_METRICS, MAX_UNIT_CHARS, Metric, MetricId, Sample, Span};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use storage::{Topic, ledger, metrics, page};

use super::{
    Admin,
    body::Body,
    check_count,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{Accepted, Created, Gone, IfMatch, List, Paging, Shown, View},
    types::Time,
};

/// The most samples in one request.
const MAX_SAMPLES: usize = 10_000;
/// How far ahead of our clock a sample may be.
const MAX_AHEAD: Span = Span::mins(5);

pub(super) struct MetricsApi(pub(super) Admin);

/// A series of numbers.
#[derive(Object)]
#[oai(rename = "Metric")]
struct MetricView {
    id: i64,
    /// Its name in references and configuration files.
    key: String,
    name: String,
    /// The unit printed behind numbers.
    unit: String,
    /// Order on the page, smallest first.
    position: i32,
}

impl View for MetricView {}

/// A metric to be made.
#[derive(Object)]
struct NewMetric {
    /// Made from the name if it is left out.
    key: Option<String>,
    name: String,
    unit: Option<String>,
    /// Behind all others if it is left out.
    position: Option<i32>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct MetricPatch {
    name: Option<String>,
    unit: Option<String>,
    position: Option<i32>,
}

/// A measured value.
#[derive(Object)]
struct NewSample {
    at: Time,
    value: f64,
}

/// How many samples were stored.
#[derive(Object)]
struct Stored {
    /// Of several for one time only the last is kept.
    stored: u64,
}

#[OpenApi]
impl MetricsApi {
    /// Lists metrics.
    #[oai(path = "/metrics", method = "get")]
    async fn list(&self, limit: Query<Option<i64>>, cursor: Query<Option<String>>) -> Result<Json<List<MetricView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let all = page::all_metrics(&mut self.0.db.read().await?).await?;
        let mut rows: Vec<Metric> = all.into_iter().filter(|metric| metric.id.0 > paging.after()).collect();
        rows.sort_by_key(|metric| metric.id);
        Ok(Json(paging.list(rows, |metric| metric.id.0, view)))
    }

    /// Adds a metric.
    #[oai(path = "/metrics", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewMetric>) -> Result<Created<MetricView>, Problem> {
        let (new, mut fields) = (body.0, Fields::default());
        let name = fields.name("name", &new.name);
        let key = fields.key(new.key, &name);
        let unit = fields.line("unit", new.unit.as_deref().unwrap_or_default(), MAX_UNIT_CHARS, false);
        fields.done()?;
        let mut entry = self.0.begin().await?;
        let all = page::all_metrics(&mut entry.tx).await?;
        check_count(all.len(), MAX_METRICS, "metrics")?;
        let behind = all.iter().map(|metric| metric.position).max().map_or(0, |last| last.saturating_add(1));
        let mut metric = Metric { id: MetricId(0), key, name, unit, position: new.position.unwrap_or(behind) };
        metric.id = metrics::insert(&mut entry.tx, &metric).await?;
        caller.trail.made(metric.id);
        self.0.finish(entry, caller).await?;
        Ok(Created { location: self.0.location("metrics", metric.id), view: view(metric) })
    }

    /// Shows a metric.
    #[oai(path = "/metrics/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<MetricView>, Problem> {
        Ok(Shown(view(pick(page::all_metrics(&mut self.0.db.read().await?).await?, id.0)?)))
    }

    /// Changes a metric.
    #[oai(path = "/metrics/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<MetricPatch>,
    ) -> Result<Shown<MetricView>, Problem> {
        let mut entry = self.0.begin().await?;
        let mut metric = pick(page::all_metrics(&mut entry.tx).await?, id.0)?;
        if_match.check(&view(metric.clone()))?;
        let (patch, mut fields) = (body.0, Fields::default());
        if let Some(name) = patch.name {
            metric.name = fields.name("name", &name);
        }
        if let Some(unit) = patch.unit {
            metric.unit = fields.line("unit", &unit, MAX_UNIT_CHARS, false);
        }
        metric.position = patch.position.unwrap_or(metric.position);
        fields.done()?;
        metrics::update(&mut entry.tx, &metric).await?;
        self.0.finish(entry, caller).await?;
        Ok(Shown(view(metric)))
    }

    /// Removes a metric with its samples.
    #[oai(path = "/metrics/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut entry = self.0.begin().await?;
        let metric = pick(page::all_metrics(&mut entry.tx).await?, id.0)?;
        if_match.check(&view(metric.clone()))?;
        metrics::delete(&mut entry.tx, metric.id).await?;
        self.0.finish(entry, caller).await?;
        Ok(Gone)
    }

    /// Adds values to a metric, at most 10,000 at once. One for a time that has a value replaces it.
    #[oai(path = "/metrics/:id/samples", method = "post")]
    async fn add_samples(&self, id: Path<i64>, body: Body<Vec<NewSample>>) -> Result<Accepted<Stored>, Problem> {
        let (newest, mut fields) = (self.0.now().plus(MAX_AHEAD), Fields::default());
        fields.at_most("", &body.0, MAX_SAMPLES);
        for (i, sample) in body.0.iter().enumerate().filter(|(_, sample)| sample.at.0 > newest).take(10) {
            fields.refuse(format!("[{i}].at"), format!("{} is more than {MAX_AHEAD} ahead of our clock", sample.at.0));
        }
        fields.done()?;
        let samples: Vec<Sample> = body.0.iter().map(|sample| Sample { at: sample.at.0, value: sample.value }).collect();
        let mut tx = self.0.db.begin().await?;
        let metric = pick(page::all_metrics(&mut tx).await?, id.0)?;
        let n = metrics::insert_samples(&mut tx, metric.id, &samples).await?;
        ledger::touch(&mut tx).await?;
        tx.commit().await?;
        self.0.wake.wake(Topic::Changes).await;
        Ok(Accepted(Stored { stored: u64::try_from(n).unwrap_or(u64::MAX) }))
    }
}

fn pick(all: Vec<Metric>, id: i64) -> Result<Metric, Problem> {
    all.into_iter().find(|metric| metric.id.0 == id).ok_or_else(|| Problem::not_found("metric"))
}

fn view(metric: Metric) -> MetricView {
    let Metric { id, key, name, unit, position } = metric;
    MetricView { id: id.0, key, name, unit, position }
}
