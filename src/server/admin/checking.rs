//! Checking an integration before an outage does: a test of what sends, and asking at once of what is asked.

use std::collections::BTreeMap;

use domain::{IntegrationId, Timestamp};
use integrations::{Credentials, Inbound, Provider, Settings, example};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path};
use serde_json::json;
use storage::{Connection, Topic, deliveries, insight, integrations::Integration, polls};

use super::{
    Admin,
    body::Body,
    gate::Caller,
    insight::{DryRunBody, DryRunView, dry_run},
    integration_views::{RejectionView, activity},
    integrations as configured,
    problem::Problem,
    reply::{Accepted, Created},
    types::Time,
};

pub(super) struct CheckingApi(pub(super) Admin);

/// What to test an integration with.
#[derive(Object)]
#[oai(rename = "Test")]
struct TestBody {
    /// Its headers, by name; those of an example if they are left out.
    headers: Option<BTreeMap<String, String>>,
    /// Its body; that of an example if it is left out.
    body: Option<String>,
}

/// What a test has shown.
#[derive(Object)]
#[oai(rename = "TestResult")]
struct TestView {
    /// The id of the delivery that it is stored as.
    delivery: i64,
    /// What it would do if it came from the sender.
    result: DryRunView,
    /// When the sender itself last proved with a secret that it is the sender; null if it never has, as far as deliveries are kept. A test proves
    /// nothing about the secret.
    #[oai(nullable)]
    proven_at: Option<Time>,
    /// Requests that were not let in, by reason.
    rejections: Vec<RejectionView>,
}

/// What is asked at once.
#[derive(Object)]
struct AskedNow {
    /// The `poll.next_at` of the integration is later than this as soon as it has answered, or has failed to.
    at: Time,
}

#[OpenApi]
impl CheckingApi {
    /// Tests an integration with what its sender would send: an example, or what is given. It is stored as a delivery that is marked as a test, changes
    /// no status and tells nobody, and the answer says what the routes would make of it.
    #[oai(path = "/integrations/:id/test", method = "post")]
    async fn test(&self, Data(caller): Data<&Caller>, id: Path<i64>, body: Body<TestBody>) -> Result<Created<TestView>, Problem> {
        let id = IntegrationId(id.0);
        let mut tx = self.0.db.begin().await?;
        let integration = configured::find(&mut tx, id).await?;
        let provider = provider_of(&integration)?;
        let (headers, text) = request(provider, body.0)?;
        let inbound = Inbound { headers: &headers, path_token: None, body: text.as_bytes(), received_at: self.0.now() };
        let settings = Settings::new(integration.edit.settings);
        let credentials = Credentials { secrets: &[], settings: &settings, document: None };
        let test = example::test(provider, id, &credentials, &inbound)
            .map_err(|refusal| Problem::field("headers", format!("would be turned away: {refusal}")))?;
        let delivery = deliveries::insert(&mut tx, &test).await?.ok_or_else(|| Problem::not_found("integration"))?;
        // Not what was sent: it may be long, and stands in the delivery.
        caller.trail.wanted(&json!({ "delivery": delivery.0 }));
        self.0.commit(tx, caller).await?;
        self.0.wake.wake(Topic::Deliveries).await;
        let result = dry_run(&self.0, id, DryRunBody::of(delivery)).await?;
        let mut conn = self.0.db.read().await?;
        let view = TestView {
            delivery: delivery.0,
            result,
            proven_at: proven_at(&mut conn, id).await?.map(Time),
            rejections: activity(&mut conn, id, provider.slug).await?.rejections,
        };
        Ok(Created { location: self.0.location("deliveries", delivery), view })
    }

    /// Asks a source or makes a check at once, whenever its turn would be. The answer to this comes before that of the source.
    #[oai(path = "/integrations/:id/ask", method = "post")]
    async fn ask(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Accepted<AskedNow>, Problem> {
        let id = IntegrationId(id.0);
        let mut tx = self.0.db.begin().await?;
        let integration = configured::find(&mut tx, id).await?;
        if provider_of(&integration)?.poll.is_none() {
            return Err(Problem::conflict("this one sends and is not asked; test it instead"));
        }
        if !integration.edit.enabled {
            return Err(Problem::conflict("this one is switched off, so it is not asked"));
        }
        let at = self.0.now();
        if !polls::ask_at(&mut tx, id, at).await? {
            return Err(Problem::conflict("this one was never asked yet; that begins by itself within seconds"));
        }
        self.0.commit(tx, caller).await?;
        self.0.wake.wake(Topic::Changes).await;
        Ok(Accepted(AskedNow { at: Time(at) }))
    }
}

fn provider_of(integration: &Integration) -> Result<&'static Provider, Problem> {
    integrations::find(&integration.provider).ok_or_else(|| Problem::conflict("this kind of integration is not known to this version"))
}

/// What is given, and of what is not, the example.
fn request(provider: &Provider, given: TestBody) -> Result<example::Request, Problem> {
    let Some((headers, text)) = example::of(provider) else {
        return Err(Problem::conflict("this one is asked and sends nothing; ask it instead"));
    };
    let lower = |(name, value): (String, String)| (name.trim().to_ascii_lowercase(), value);
    Ok((given.headers.map_or(headers, |headers| headers.into_iter().map(lower).collect()), given.body.unwrap_or(text)))
}

async fn proven_at(conn: &mut Connection, id: IntegrationId) -> Result<Option<Timestamp>, Problem> {
    Ok(insight::arrivals(conn, id, integrations::silence::NOT_HEARD, 1).await?.pop())
}
