//! Metrics and their points.

use domain::{MetricId, Sample, Timestamp};
use poem::http::{Method, StatusCode};
use serde_json::{Map, json};
use storage::page;

use super::{Answer, Writes, id_of, out_of_reach, position};
use crate::cachet::{input::Input, objects::single};

impl Writes<'_> {
    pub(super) async fn add_metric(&self, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.insert("name".to_owned(), input.required("name").into());
        body.insert("unit".to_owned(), input.text("suffix").unwrap_or_default().into());
        body.extend(position(&mut input));
        input.done()?;
        let id = id_of(&self.ask(Method::POST, "/metrics", Some(body.into())).await?)?;
        self.metric(MetricId(id), None).await
    }

    pub(super) async fn change_metric(&self, id: MetricId, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.extend(input.text("name").map(|name| ("name".to_owned(), name.into())));
        body.extend(input.text("suffix").map(|unit| ("unit".to_owned(), unit.into())));
        body.extend(position(&mut input));
        input.done()?;
        self.ask(Method::PATCH, &format!("/metrics/{id}"), Some(body.into())).await?;
        self.metric(id, None).await
    }

    pub(super) async fn add_point(&self, id: MetricId, mut input: Input) -> Answer {
        let value = input.number("value");
        if value.is_none() && input.raw("value").is_none() {
            input.refuse("The value field is required.".to_owned());
        }
        let at = input.time("timestamp", &self.shape.zone);
        input.done()?;
        let sample = Sample { at: at.unwrap_or_else(now), value: value.unwrap_or_default() };
        let body = json!([{ "at": sample.at.to_string(), "value": sample.value }]);
        self.ask(Method::POST, &format!("/metrics/{id}/samples"), Some(body)).await?;
        self.metric(id, Some(&sample)).await
    }

    async fn metric(&self, id: MetricId, point: Option<&Sample>) -> Answer {
        let all = page::all_metrics(&mut self.read().await?).await.map_err(out_of_reach)?;
        let metric = all.into_iter().find(|metric| metric.id == id).ok_or(StatusCode::NOT_FOUND)?;
        Ok(Some(single(match point {
            Some(sample) => self.shape.point(&metric, sample),
            None => self.shape.metric(&metric, &[]),
        })))
    }
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}
