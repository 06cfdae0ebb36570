//! Whom a secret was given for.

use url::{Origin, Url};

/// The origin that secrets were given for: scheme, host and port. Another port is another program, and http is read by whoever listens.
pub(crate) struct GivenFor {
    origin: Origin,
    left: bool,
}

impl GivenFor {
    /// Secrets for where a chain of redirects begins.
    pub(crate) fn new(first: &Url) -> Self {
        Self { origin: first.origin(), left: false }
    }

    /// Tells whether the next request of the chain may carry them. Once it has led elsewhere they stay at home, even if it leads back: where
    /// to is then somebody else's choice.
    pub(crate) fn may_go_to(&mut self, url: &Url) -> bool {
        self.left |= url.origin() != self.origin;
        !self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn secrets_go_to_the_same_scheme_host_and_port_alone() {
        let mut given = GivenFor::new(&url("https://a.example/in"));
        for same in ["https://a.example/in", "https://a.example:443/elsewhere?b=1", "https://A.example/"] {
            assert!(given.may_go_to(&url(same)), "{same}");
        }
        for other in
            ["http://a.example/in", "https://a.example:8443/in", "https://b.example/in", "https://www.a.example/", "http://a.example:443/"]
        {
            assert!(!GivenFor::new(&url("https://a.example/in")).may_go_to(&url(other)), "{other}");
        }
        assert!(
            !GivenFor::new(&url("http://a.example/")).may_go_to(&url("https://a.example/")),
            "nor to the better scheme: it is not what was given"
        );
    }

    #[test]
    fn secrets_do_not_go_where_somebody_else_leads_back_to() {
        let mut given = GivenFor::new(&url("https://a.example/in"));
        assert!(!given.may_go_to(&url("https://b.example/")));
        assert!(!given.may_go_to(&url("https://a.example/chosen-by-b")));
    }
}
