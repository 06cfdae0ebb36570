//! Which topics are listened to, and whose word is taken for Amazon's.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    SettingsError,
    error::quoted,
    limits,
    mapping::{Mapping, MappingSettings},
    reading,
};

/// The most topics, and the most endpoints, of one integration.
const MAX_ENTRIES: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    topics: Vec<String>,
    #[serde(default)]
    endpoints: Vec<String>,
    mapping: Option<Value>,
}

pub(super) struct Prepared {
    pub(super) topics: Vec<String>,
    endpoints: Vec<String>,
    pub(super) mapping: Option<Mapping>,
}

impl Prepared {
    pub(super) fn read(settings: &Value) -> Result<Self, SettingsError> {
        let Own { topics, endpoints, mapping } = reading::settings("", settings)?;
        if topics.is_empty() {
            return Err(SettingsError::new(
                "topics",
                "must list at least one topic: everybody who has an AWS account can sign for their own",
            ));
        }
        for (path, list) in [("topics", &topics), ("endpoints", &endpoints)] {
            if list.len() > MAX_ENTRIES {
                return Err(SettingsError::new(path, format!("has {} entries, at most {MAX_ENTRIES} are allowed", list.len())));
            }
        }
        if let Some((index, topic)) = topics.iter().enumerate().find(|(_, topic)| !is_topic(topic)) {
            let problem = format!("`{}` is not the ARN of a topic, like `arn:aws:sns:eu-west-1:123456789012:alarms`", quoted(topic));
            return Err(SettingsError::new(format!("topics[{index}]"), problem));
        }
        if let Some((index, endpoint)) = endpoints.iter().enumerate().find(|(_, endpoint)| !is_origin(endpoint)) {
            let problem = format!("`{}` is not an address without a path, like `https://sns.internal.example:8443`", quoted(endpoint));
            return Err(SettingsError::new(format!("endpoints[{index}]"), problem));
        }
        let mapping = mapping.map(|mapping| MappingSettings::nested("mapping", &mapping)).transpose()?;
        Ok(Self { topics, endpoints, mapping })
    }

    /// Whether a certificate may be fetched from here.
    pub(super) fn is_certificate_url(&self, url: &str) -> bool {
        let file = match (on_amazon(url), self.on_endpoint(url)) {
            (Some(file), _) => file,
            (None, Some(path)) => path.rsplit('/').next().unwrap_or_default(),
            (None, None) => return false,
        };
        let name = file.strip_prefix("SimpleNotificationService-").and_then(|rest| rest.strip_suffix(".pem"));
        name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    }

    /// Whether calling this confirms a subscription, and does nothing else.
    pub(super) fn is_confirmation_url(&self, url: &str) -> bool {
        let query = on_amazon(url).or_else(|| self.on_endpoint(url)).and_then(|rest| rest.strip_prefix('?'));
        query.is_some_and(|query| query.split('&').filter(|part| part.starts_with("Action=")).eq(["Action=ConfirmSubscription"]))
    }

    /// What follows the address and its first `/`, if the settings name the address.
    fn on_endpoint<'a>(&self, url: &'a str) -> Option<&'a str> {
        let rest = self.endpoints.iter().find_map(|endpoint| url.strip_prefix(endpoint.as_str())?.strip_prefix('/'));
        rest.filter(|_| is_plain(url))
    }
}

/// What follows the first `/`, if the address is that of SNS in one of Amazon's regions: neither a user, nor a port, nor another host.
fn on_amazon(url: &str) -> Option<&str> {
    let (host, rest) = url.strip_prefix("https://sns.")?.split_once('/')?;
    let region = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let fits = region.len() >= 3 && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (fits && is_plain(url)).then_some(rest)
}

/// Nothing in it that two readers of URLs could read differently.
fn is_plain(url: &str) -> bool {
    url.len() <= limits::MAX_URL_BYTES && url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'@'))
}

fn is_topic(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let filled = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
    filled && matches!(parts.as_slice(), ["arn", _, "sns", _, _, _])
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b)))
}
