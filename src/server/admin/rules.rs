//! Who may do what: the one table of operations and the scopes they need. What is not in it does not exist for clients.

use poem::http::Method;

/// An operation, and the scope that it needs.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) method: &'static str,
    /// Below `/api/admin/v1`, with `{…}` for what varies.
    pub(super) path: &'static str,
    /// `None`: any valid token will do.
    pub(super) scope: Option<&'static str>,
    /// What a person needs in the place of the scope, where roles tell apart what tokens do not.
    person: Option<&'static str>,
}

impl Rule {
    /// The permission that a person's role must have.
    pub(super) fn permission(&self) -> Option<&'static str> {
        self.person.or(self.scope)
    }
}

const fn rule(method: &'static str, path: &'static str, scope: &'static str) -> Rule {
    Rule { method, path, scope: Some(scope), person: None }
}

/// Programs set overrides as part of components; among people, operators do and editors do not.
const fn overrule(method: &'static str, path: &'static str) -> Rule {
    Rule { method, path, scope: Some("components:write"), person: Some("overrides:write") }
}

pub(super) const RULES: &[Rule] = &[
    Rule { method: "GET", path: "/me", scope: None, person: None },
    rule("GET", "/components", "components:read"),
    rule("POST", "/components", "components:write"),
    rule("PATCH", "/components", "components:write"),
    overrule("PUT", "/components/overrides"),
    rule("GET", "/components/{id}", "components:read"),
    rule("PATCH", "/components/{id}", "components:write"),
    rule("DELETE", "/components/{id}", "components:write"),
    overrule("PUT", "/components/{id}/override"),
    overrule("DELETE", "/components/{id}/override"),
    rule("GET", "/components/{id}/changes", "components:read"),
    rule("GET", "/groups", "groups:read"),
    rule("POST", "/groups", "groups:write"),
    rule("GET", "/groups/{id}", "groups:read"),
    rule("PATCH", "/groups/{id}", "groups:write"),
    rule("DELETE", "/groups/{id}", "groups:write"),
    rule("GET", "/metrics", "metrics:read"),
    rule("POST", "/metrics", "metrics:write"),
    rule("GET", "/metrics/{id}", "metrics:read"),
    rule("PATCH", "/metrics/{id}", "metrics:write"),
    rule("DELETE", "/metrics/{id}", "metrics:write"),
    rule("POST", "/metrics/{id}/samples", "metrics:write"),
    rule("GET", "/integrations", "integrations:read"),
    rule("POST", "/integrations", "integrations:write"),
    rule("GET", "/integrations/{id}", "integrations:read"),
    rule("PATCH", "/integrations/{id}", "integrations:write"),
    rule("DELETE", "/integrations/{id}", "integrations:write"),
    rule("GET", "/integrations/{id}/health", "integrations:read"),
    rule("POST", "/integrations/{id}/dry-run", "deliveries:read"),
    rule("POST", "/integrations/{id}/back-test", "deliveries:read"),
    rule("POST", "/integrations/{id}/test", "deliveries:write"),
    rule("POST", "/integrations/{id}/ask", "deliveries:write"),
    rule("POST", "/integrations/{id}/secrets", "integrations:write"),
    rule("DELETE", "/integrations/{id}/secrets/{secret_id}", "integrations:write"),
    rule("GET", "/providers", "integrations:read"),
    rule("GET", "/providers/{slug}", "integrations:read"),
    rule("GET", "/deliveries", "deliveries:read"),
    rule("POST", "/deliveries/replay", "deliveries:write"),
    rule("GET", "/deliveries/{id}", "deliveries:read"),
    rule("POST", "/deliveries/{id}/replay", "deliveries:write"),
    rule("GET", "/deliveries/{id}/suggestions", "deliveries:read"),
    rule("GET", "/deliveries/{id}/changes", "deliveries:read"),
    rule("GET", "/incidents", "incidents:read"),
    rule("POST", "/incidents", "incidents:write"),
    rule("POST", "/incidents/discard", "incidents:write"),
    rule("GET", "/incidents/{id}", "incidents:read"),
    rule("PATCH", "/incidents/{id}", "incidents:write"),
    rule("DELETE", "/incidents/{id}", "incidents:write"),
    rule("POST", "/incidents/{id}/updates", "incidents:write"),
    rule("GET", "/incidents/{id}/updates/{update_id}", "incidents:read"),
    rule("POST", "/incidents/{id}/publish", "incidents:write"),
    rule("POST", "/incidents/{id}/veto", "incidents:write"),
    rule("GET", "/incidents/{id}/changes", "incidents:read"),
    rule("GET", "/incidents/{id}/postmortem", "incidents:read"),
    rule("PUT", "/incidents/{id}/postmortem", "incidents:write"),
    rule("DELETE", "/incidents/{id}/postmortem", "incidents:write"),
    rule("POST", "/incidents/{id}/postmortem/publish", "incidents:write"),
    rule("POST", "/incidents/{id}/postmortem/unpublish", "incidents:write"),
    rule("GET", "/waiting-acts", "incidents:read"),
    rule("GET", "/waiting-acts/{id}", "incidents:read"),
    rule("POST", "/waiting-acts/{id}/take-back", "incidents:write"),
    rule("POST", "/waiting-acts/{id}/publish", "incidents:write"),
    rule("GET", "/incident-templates", "incidents:read"),
    rule("POST", "/incident-templates", "incidents:write"),
    rule("GET", "/incident-templates/{id}", "incidents:read"),
    rule("PATCH", "/incident-templates/{id}", "incidents:write"),
    rule("DELETE", "/incident-templates/{id}", "incidents:write"),
    rule("POST", "/incident-templates/{id}/render", "incidents:read"),
    rule("GET", "/maintenances", "maintenances:read"),
    rule("POST", "/maintenances", "maintenances:write"),
    rule("GET", "/maintenances/{id}", "maintenances:read"),
    rule("PATCH", "/maintenances/{id}", "maintenances:write"),
    rule("DELETE", "/maintenances/{id}", "maintenances:write"),
    rule("GET", "/maintenance-series", "maintenances:read"),
    rule("POST", "/maintenance-series", "maintenances:write"),
    rule("POST", "/maintenance-series/preview", "maintenances:read"),
    rule("GET", "/maintenance-series/{id}", "maintenances:read"),
    rule("POST", "/maintenance-series/{id}/preview", "maintenances:write"),
    rule("PATCH", "/maintenance-series/{id}", "maintenances:write"),
    rule("DELETE", "/maintenance-series/{id}", "maintenances:write"),
    rule("GET", "/notifications", "notifications:read"),
    rule("POST", "/notifications/resend", "notifications:write"),
    rule("POST", "/notifications/resend/undo", "notifications:write"),
    rule("GET", "/notifications/{id}", "notifications:read"),
    rule("GET", "/notifications/{id}/attempts", "notifications:read"),
    rule("POST", "/notifications/{id}/resend", "notifications:write"),
    rule("GET", "/subscribers", "subscribers:read"),
    rule("POST", "/subscribers", "subscribers:write"),
    rule("POST", "/subscribers/delete", "subscribers:write"),
    rule("POST", "/subscribers/enable", "subscribers:write"),
    rule("GET", "/subscribers/{id}", "subscribers:read"),
    rule("DELETE", "/subscribers/{id}", "subscribers:write"),
    rule("POST", "/subscribers/{id}/enable", "subscribers:write"),
    rule("POST", "/subscribers/{id}/test", "subscribers:write"),
    rule("GET", "/tokens", "tokens:read"),
    rule("POST", "/tokens", "tokens:write"),
    rule("GET", "/tokens/{id}", "tokens:read"),
    rule("POST", "/tokens/{id}/rotate", "tokens:write"),
    rule("DELETE", "/tokens/{id}", "tokens:write"),
    rule("GET", "/users", "users:read"),
    rule("GET", "/users/{id}", "users:read"),
    rule("PATCH", "/users/{id}", "users:write"),
    rule("DELETE", "/users/{id}", "users:write"),
    rule("GET", "/users/{id}/sessions", "users:read"),
    rule("DELETE", "/users/{id}/sessions", "users:write"),
    rule("DELETE", "/users/{id}/factors", "users:write"),
    rule("DELETE", "/users/{id}/identities", "users:write"),
    rule("POST", "/users/{id}/link", "users:write"),
    rule("GET", "/invitations", "users:read"),
    rule("POST", "/invitations", "users:write"),
    rule("GET", "/invitations/{id}", "users:read"),
    rule("DELETE", "/invitations/{id}", "users:write"),
    rule("GET", "/sessions", "users:read"),
    rule("GET", "/sessions/{id}", "users:read"),
    rule("DELETE", "/sessions/{id}", "users:write"),
    rule("GET", "/roles", "users:read"),
    rule("GET", "/settings", "settings:read"),
    rule("GET", "/audit", "audit:read"),
    rule("GET", "/audit/export", "audit:read"),
    rule("GET", "/audit/{id}", "audit:read"),
    rule("GET", "/page", "page:read"),
    rule("PATCH", "/page", "page:write"),
];

/// What the table says of a request.
#[derive(Debug)]
pub(super) enum Match {
    /// This operation.
    Rule(&'static Rule),
    /// The path is there, with these methods only.
    OtherMethods(Vec<&'static str>),
    /// There is nothing at this path.
    Nothing,
}

/// Looks an operation up. A path that is not plain matches nothing, so that this table and the router cannot read it in two ways.
pub(super) fn find(method: &Method, path: &str) -> Match {
    if path.contains(['%', '\\']) || path.contains("//") {
        return Match::Nothing;
    }
    let here: Vec<&'static Rule> = RULES.iter().filter(|rule| fits(rule.path, path)).collect();
    // `/deliveries/replay` also has the shape of `/deliveries/{id}`: the more literal one counts, as it does for the router.
    let literal = here.iter().map(|rule| n_literal(rule.path)).max().unwrap_or_default();
    let here: Vec<&'static Rule> = here.into_iter().filter(|rule| n_literal(rule.path) == literal).collect();
    match here.iter().find(|rule| rule.method == method.as_str()) {
        Some(rule) => Match::Rule(rule),
        None if here.is_empty() => Match::Nothing,
        None => Match::OtherMethods(here.iter().map(|rule| rule.method).collect()),
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut expected, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(text)) if part == text || (part.starts_with('{') && !text.is_empty()) => {}
            _ => return false,
        }
    }
}

fn n_literal(path: &str) -> usize {
    path.split('/').filter(|part| !part.starts_with('{')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_of_the_table_exists_and_every_scope_is_used() {
        let used: Vec<&str> = RULES.iter().filter_map(|rule| rule.scope).collect();
        for scope in &used {
            assert!(scope.parse::<storage::tokens::Scope>().is_ok(), "{scope}");
        }
        for scope in storage::tokens::Scope::EVERY.iter().filter(|scope| **scope != storage::tokens::Scope::ALL) {
            assert!(used.contains(&scope.as_str()), "{scope}");
        }
    }

    #[test]
    fn the_more_literal_path_counts_and_odd_paths_are_nothing() {
        let path = |method: Method, path| match find(&method, path) {
            Match::Rule(rule) => rule.path,
            Match::OtherMethods(_) => "other methods",
            Match::Nothing => "nothing",
        };
        assert_eq!(path(Method::GET, "/deliveries/7"), "/deliveries/{id}");
        assert_eq!(path(Method::POST, "/deliveries/replay"), "/deliveries/replay");
        assert_eq!(path(Method::POST, "/deliveries/7"), "other methods");
        for odd in ["", "/", "/components/", "/components//override", "/components/1%2Foverride", "/nothing", "/components/1/2/3"] {
            assert_eq!(path(Method::GET, odd), "nothing", "{odd}");
        }
    }
}
