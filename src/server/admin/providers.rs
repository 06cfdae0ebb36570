//! `/providers`: the kinds of senders and sources there are, and how each is set up.

use std::collections::BTreeMap;

use integrations::{PROVIDERS, Provider, example};
use poem_openapi::{Object, OpenApi, param::Path, payload::Json};

use super::{
    problem::Problem,
    reply::{List, Shown, View, etag_of},
};

pub(super) struct ProvidersApi;

/// A kind of sender or source.
#[derive(Object)]
#[oai(rename = "ProviderSummary")]
struct ProviderSummary {
    /// Its name in configuration files.
    slug: String,
    /// As people write it.
    name: String,
    /// Whether Fanal asks it, instead of it sending to Fanal.
    polled: bool,
}

/// A kind of sender or source, with its guide.
#[derive(Object)]
#[oai(rename = "Provider")]
struct ProviderView {
    /// Its name in configuration files.
    slug: String,
    /// As people write it.
    name: String,
    /// Whether Fanal asks it, instead of it sending to Fanal.
    polled: bool,
    /// Markdown for whoever sets it up; `{{ url }}` and `{{ secret }}` stand for the hook's address and the secret.
    guide: String,
    /// What it sends when something breaks, as a test takes it; null of what is asked.
    #[oai(nullable)]
    example: Option<ExampleView>,
}

/// A request of a sender.
#[derive(Object)]
#[oai(rename = "Example")]
struct ExampleView {
    /// By name.
    headers: BTreeMap<String, String>,
    body: String,
}

impl View for ProviderView {
    fn etag(&self) -> String {
        etag_of(&serde_json::json!([self.slug, self.guide, self.example.as_ref().map(|example| &example.body)]))
    }
}

#[OpenApi]
impl ProvidersApi {
    /// Lists the kinds of senders and sources, all at once.
    #[oai(path = "/providers", method = "get")]
    async fn list(&self) -> Json<List<ProviderSummary>> {
        let summary = |provider: &&Provider| ProviderSummary {
            slug: provider.slug.to_owned(),
            name: provider.name.to_owned(),
            polled: provider.poll.is_some(),
        };
        Json(List { items: PROVIDERS.iter().map(summary).collect(), next: None })
    }

    /// Shows how one is set up.
    #[oai(path = "/providers/:slug", method = "get")]
    async fn show(&self, slug: Path<String>) -> Result<Shown<ProviderView>, Problem> {
        let provider = integrations::find(&slug.0).ok_or_else(|| Problem::not_found("provider"))?;
        Ok(Shown(ProviderView {
            slug: provider.slug.to_owned(),
            name: provider.name.to_owned(),
            polled: provider.poll.is_some(),
            guide: provider.setup.to_owned(),
            example: example::of(provider).map(|(headers, body)| ExampleView { headers: headers.into_iter().collect(), body }),
        }))
    }
}
