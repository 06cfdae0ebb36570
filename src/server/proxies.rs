//! Who really asks: the address that a trusted proxy in front of us names, or the peer's.

use std::{net::IpAddr, str::FromStr, sync::Arc};

use ipnet::IpNet;
use poem::{Endpoint, Middleware, Request, Result};

/// The most hops of `X-Forwarded-For` that are looked at.
const MAX_HOPS: usize = 32;

/// Addresses and networks of proxies whose `X-Forwarded-For` is believed. Nobody's is, if there are none.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<Vec<IpNet>>);

impl FromStr for TrustedProxies {
    type Err = String;

    /// Reads addresses and networks, separated by commas: `127.0.0.1, 10.1.0.0/16, ::1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = |part: &str| {
            let network = part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| format!("`{part}` is neither an address nor a network such as 10.1.0.0/16"))
        };
        let networks = text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(read).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(networks)))
    }
}

impl std::fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

impl TrustedProxies {
    fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address, as the nearest trusted proxy says.
    pub(crate) fn client_of(&self, request: &Request) -> Option<IpAddr> {
        let peer = request.remote_addr().as_socket_addr()?.ip();
        let values = request.headers().get_all("x-forwarded-for");
        let forwarded: Vec<&str> = values.iter().filter_map(|value| value.to_str().ok()).collect();
        Some(self.client(peer, &forwarded))
    }

    /// The nearest hop that is no proxy of ours. Whoever is further away could have written anything.
    fn client(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let mut client = peer;
        for hop in forwarded.iter().flat_map(|value| value.split(',')).rev().take(MAX_HOPS) {
            if !self.trust(client) {
                break;
            }
            let Ok(next) = hop.trim().parse::<IpAddr>() else { break };
            client = next;
        }
        client.to_canonical()
    }
}

impl<E: Endpoint> Middleware<E> for TrustedProxies {
    type Output = BehindProxies<E>;

    fn transform(&self, endpoint: E) -> Self::Output {
        BehindProxies { endpoint, proxies: self.clone() }
    }
}

/// An endpoint that finds the client's [`IpAddr`] in its request's data.
#[derive(Debug)]
pub struct BehindProxies<E> {
    endpoint: E,
    proxies: TrustedProxies,
}

impl<E: Endpoint> Endpoint for BehindProxies<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<Self::Output> {
        if let Some(client) = self.proxies.client_of(&request) {
            request.set_data(client);
        }
        self.endpoint.call(request).await
    }
}

/// Whose limits a request counts against.
pub(crate) fn client(request: &Request) -> Option<IpAddr> {
    request.data::<IpAddr>().copied().or_else(|| request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_its_own_hop() {
        let proxies: TrustedProxies = "127.0.0.1, 10.1.0.0/16".parse().unwrap();
        assert_eq!(proxies.client(ip("203.0.113.9"), &["198.51.100.1"]), ip("203.0.113.9"), "a stranger says what it likes");
        assert_eq!(proxies.client(ip("127.0.0.1"), &["198.51.100.1"]), ip("198.51.100.1"));
        assert_eq!(
            proxies.client(ip("127.0.0.1"), &["6.6.6.6, 198.51.100.1, 10.1.2.3"]),
            ip("198.51.100.1"),
            "what the client wrote is not read"
        );
        assert_eq!(proxies.client(ip("127.0.0.1"), &["6.6.6.6", "198.51.100.1"]), ip("198.51.100.1"), "two headers are one list");
        assert_eq!(proxies.client(ip("::ffff:127.0.0.1"), &["198.51.100.1"]), ip("198.51.100.1"));
        assert_eq!(proxies.client(ip("127.0.0.1"), &["unknown"]), ip("127.0.0.1"));
        assert_eq!(TrustedProxies::default().client(ip("127.0.0.1"), &["198.51.100.1"]), ip("127.0.0.1"));
        assert!("10.1.0.0/33".parse::<TrustedProxies>().is_err());
    }
}
