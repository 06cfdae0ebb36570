//! Subscribers by mail.

use domain::{Channel, ComponentId, Timestamp};
use poem::http::Method;
use serde_json::{Value, json};
use storage::{Connection, components};

use super::{Answer, Writes, out_of_reach};
use crate::cachet::{failure::Failure, input::Input, list, objects::single};

impl Writes<'_> {
    pub(super) async fn add_subscriber(&self, mut input: Input) -> Answer {
        let email = input.required("email");
        let mut body = json!({ "channel": Channel::Email.as_str(), "address": email });
        if let Some(ids) = input.ids("components").filter(|ids| !ids.is_empty()) {
            body["components"] = json!(self.component_keys(&ids, &mut input).await?);
        }
        input.done()?;
        match self.ask(Method::POST, "/subscribers", Some(body)).await {
            Ok(added) => Ok(Some(single(self.subscriber(&added, &keys_of(&mut self.read().await?).await?)))),
            // One that is there already is shown as it is.
            Err(refused) => match self.find_subscriber(&email).await? {
                Some(there) => Ok(Some(single(there))),
                None => Err(refused),
            },
        }
    }

    async fn find_subscriber(&self, email: &str) -> Result<Option<Value>, Failure> {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("address", email).finish();
        let found = self.ask(Method::GET, &format!("/subscribers?limit=200&channel=email&{query}"), None).await?;
        let keys = keys_of(&mut self.read().await?).await?;
        let same = |one: &&Value| one["address"].as_str().is_some_and(|address| address.eq_ignore_ascii_case(email));
        Ok(found["items"].as_array().and_then(|all| all.iter().find(same)).map(|one| self.subscriber(one, &keys)))
    }

    pub(super) async fn subscribers(&self, input: &Input) -> Answer {
        let (mut all, mut cursor, keys) = (Vec::new(), String::new(), keys_of(&mut self.read().await?).await?);
        loop {
            let page = self.ask(Method::GET, &format!("/subscribers?limit=200&channel=email{cursor}"), None).await?;
            all.extend(page["items"].as_array().into_iter().flatten().map(|one| self.subscriber(one, &keys)));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        Ok(Some(list::page(all, &["id", "email"], input, &self.address)))
    }

    /// A subscriber of the admin API. There is no code: who has it could unsubscribe others.
    fn subscriber(&self, one: &Value, keys: &[(ComponentId, String)]) -> Value {
        let time = |name: &str| one[name].as_str().and_then(|text| Timestamp::parse(text).ok()).map(|at| self.shape.time(at));
        let (id, created_at) = (&one["id"], time("created_at"));
        let scope = one["components"].as_array();
        let subscription = |key: &Value| {
            let component = keys.iter().find(|(_, known)| key.as_str() == Some(known)).map_or(0, |(id, _)| id.0);
            json!({ "id": component, "subscriber_id": id, "component_id": component, "created_at": created_at, "updated_at": created_at })
        };
        json!({
            "id": id,
            "email": one["address"],
            "phone_number": null,
            "slack_webhook_url": null,
            "verify_code": "",
            "verified_at": time("confirmed_at").or_else(|| created_at.clone()),
            "global": scope.is_none(),
            "created_at": created_at,
            "updated_at": created_at,
            "subscriptions": scope.into_iter().flatten().map(subscription).collect::<Vec<_>>(),
        })
    }
}

async fn keys_of(conn: &mut Connection) -> Result<Vec<(ComponentId, String)>, Failure> {
    Ok(components::keys(conn).await.map_err(out_of_reach)?.into_iter().collect())
}
