//! What is set about the identity provider.

use std::str::FromStr;

use domain::Role;
use secrecy::SecretString;
use url::Url;

/// How people sign in with an identity provider.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who the provider is, exactly as it writes it: a slash at the end counts.
    pub issuer: String,
    /// What it knows us by.
    pub client_id: String,
    /// What we prove that with; none for a public client.
    pub client_secret: Option<SecretString>,
    /// What its groups mean here.
    pub roles: RoleMap,
    /// The claim that names somebody's groups.
    pub groups_claim: String,
    /// What the button says.
    pub name: String,
    /// Whether only owners may sign in without it.
    pub only: bool,
}

impl Settings {
    /// Whether what is set can be used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let issuer = Url::parse(&self.issuer).map_err(|error| format!("FANAL_OIDC_ISSUER is no URL: {error}"))?;
        let loopback = match issuer.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if issuer.scheme() != "https" && !(issuer.scheme() == "http" && loopback) {
            return Err("FANAL_OIDC_ISSUER must begin with https://".to_owned());
        }
        if issuer.query().is_some() || issuer.fragment().is_some() || !issuer.username().is_empty() {
            return Err("FANAL_OIDC_ISSUER must hold no `?`, no `#` and no user name".to_owned());
        }
        if self.client_id.is_empty() || self.groups_claim.is_empty() || self.name.trim().is_empty() {
            return Err("FANAL_OIDC_CLIENT_ID, FANAL_OIDC_GROUPS_CLAIM and FANAL_OIDC_NAME must not be empty".to_owned());
        }
        Ok(())
    }
}

/// Which group gives which role. Empty if roles are given here alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleMap(Vec<(String, Role)>);

impl RoleMap {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The highest role that one of these groups gives.
    pub(super) fn role_of(&self, groups: &[String]) -> Option<Role> {
        // Roles are ordered from the most powerful to the least.
        self.0.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role).min()
    }

    /// Each as it is written: `sre=operator`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(|(group, role)| format!("{group}={role}")).collect()
    }
}

impl FromStr for RoleMap {
    type Err = String;

    /// Reads `sre=operator,platform=admin`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut map = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (group, role) = entry.rsplit_once('=').ok_or_else(|| format!("`{entry}` is not like `group=role`"))?;
            let (group, role) = (group.trim(), role.trim().parse::<Role>().map_err(|error| format!("`{entry}`: {error}"))?);
            if group.is_empty() {
                return Err(format!("`{entry}` names no group"));
            }
            if role == Role::Owner {
                return Err(format!("`{entry}`: owners are made by owners, not by a group; give `admin`"));
            }
            if map.iter().any(|(known, _)| known == group) {
                return Err(format!("the group `{group}` is named twice"));
            }
            map.push((group.to_owned(), role));
        }
        Ok(Self(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_gives_the_highest_role_of_all_groups_and_never_an_owner() {
        let map: RoleMap = "sre=operator, platform = admin,cn=web=editor".parse().unwrap();
        let role = |groups: &[&str]| map.role_of(&groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>());
        assert_eq!(role(&["sre"]), Some(Role::Operator));
        assert_eq!(role(&["cn=web", "sre", "platform"]), Some(Role::Admin));
        assert_eq!(role(&["SRE", "sre ", "other", ""]), None, "groups are compared letter by letter");
        assert_eq!(map.lines(), ["sre=operator", "platform=admin", "cn=web=editor"]);
        for wrong in ["sre", "=admin", "sre=root", "sre=owner", "a=admin,a=viewer"] {
            assert!(wrong.parse::<RoleMap>().is_err(), "{wrong}");
        }
        assert!(" ".parse::<RoleMap>().unwrap().is_empty());
    }

    #[test]
    fn only_a_provider_on_this_machine_may_do_without_tls() {
        let check = |issuer: &str| {
            let settings = Settings {
                issuer: issuer.to_owned(),
                client_id: "fanal".to_owned(),
                client_secret: None,
                roles: RoleMap::default(),
                groups_claim: "groups".to_owned(),
                name: "Acme".to_owned(),
                only: false,
            };
            settings.check()
        };
        for right in ["https://id.example.com", "https://id.example.com/realms/a", "http://127.0.0.1:9000", "http://localhost:9000/"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in
            ["id.example.com", "http://id.example.com", "https://id.example.com/?x=1", "https://a:b@id.example.com", "ftp://127.0.0.1"]
        {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
