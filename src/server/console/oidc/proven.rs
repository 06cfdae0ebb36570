//! What is believed of somebody, of all that a provider says.

use domain::{Timestamp, mail_address};
use serde_json::{Map, Value};

/// The longest subject that the standard allows.
pub(super) const MAX_SUBJECT_CHARS: usize = 255;
const MAX_NAME_CHARS: usize = 100;
const MAX_GROUPS: usize = 1000;
/// The most that is kept of how somebody was proven, and the longest word of it.
const MAX_METHODS: usize = 10;
const MAX_METHOD_CHARS: usize = 40;

/// Somebody whom the provider has proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proven {
    pub(super) subject: String,
    /// In the one spelling by which people are told apart here.
    pub(super) email: Option<String>,
    /// Whether the provider has made sure that the address is theirs.
    pub(super) email_verified: bool,
    pub(super) name: Option<String>,
    pub(super) groups: Vec<String>,
    /// How it made sure who it is (`amr`).
    pub(super) methods: Vec<String>,
    /// When they last typed something at the provider.
    pub(super) authenticated_at: Option<Timestamp>,
}

impl Proven {
    /// Adds a mail address, with what is said of it by the same source.
    pub(super) fn reached_at(&mut self, email: Option<&str>, verified: Option<bool>) {
        if self.email.is_none() {
            self.email = email.and_then(mail_address);
            self.email_verified = self.email.is_some() && verified == Some(true);
        }
    }

    /// Adds what they are called.
    pub(super) fn called(&mut self, name: Option<&str>) {
        let clean = |name: &str| {
            let name: String = name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
            (!name.is_empty()).then_some(name)
        };
        self.name = self.name.take().or_else(|| name.and_then(clean));
    }

    /// Adds their groups, if there are any in `claims`.
    pub(super) fn member_of(&mut self, claims: &Map<String, Value>, claim: &str) {
        if self.groups.is_empty() {
            self.groups = groups(claims, claim);
        }
    }

    pub(super) fn proven_by(&mut self, methods: impl Iterator<Item = String>) {
        let clean = |method: String| method.chars().filter(char::is_ascii_graphic).take(MAX_METHOD_CHARS).collect::<String>();
        self.methods = methods.take(MAX_METHODS).map(clean).filter(|method| !method.is_empty()).collect();
    }
}

/// The groups that a claim names: a list, or one alone. A claim within another is named with dots: `realm_access.roles`.
fn groups(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    let value = claims.get(claim).or_else(|| {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    });
    match value {
        Some(Value::String(group)) => vec![group.clone()],
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).take(MAX_GROUPS).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_a_list_or_a_word_at_the_top_or_below() {
        let claims = json!({ "groups": ["a", 7, "b"], "one": "c", "realm_access": { "roles": ["d"] }, "https://x.example/groups": ["e"] });
        let of = |claim: &str| groups(claims.as_object().unwrap(), claim);
        assert_eq!(of("groups"), ["a", "b"]);
        assert_eq!(of("one"), ["c"]);
        assert_eq!(of("realm_access.roles"), ["d"]);
        assert_eq!(of("https://x.example/groups"), ["e"]);
        for none in ["nothing", "groups.a", "realm_access", "realm_access.roles.0", ""] {
            assert!(of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn an_address_counts_as_verified_only_by_the_source_that_names_it() {
        let mut proven = Proven::default();
        proven.reached_at(None, Some(true));
        proven.reached_at(Some("Ada@Example.com"), None);
        proven.reached_at(Some("eve@example.com"), Some(true));
        assert_eq!((proven.email.as_deref(), proven.email_verified), (Some("ada@example.com"), false));
        let mut odd = Proven::default();
        odd.reached_at(Some("a@b\r\n.example"), Some(true));
        assert_eq!((odd.email, odd.email_verified), (None, false));
    }
}
