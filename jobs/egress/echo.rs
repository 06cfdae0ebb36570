//! Sockets for echo requests: to checked addresses only, and only where the system lets us.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use integrations::check::IpVersion;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::UdpSocket, time::Instant};

use super::{Egress, EgressError, Trouble};

const NOT_ALLOWED: &str = "this system does not let Fanal send ICMP echo requests: it needs the sysctl net.ipv4.ping_group_range to include \
                           its group, or the capability CAP_NET_RAW";

/// A socket that sends echo requests to one address, and receives what comes from there.
pub(crate) struct Echoes {
    pub(crate) socket: UdpSocket,
    pub(crate) address: IpAddr,
    /// How long resolving took.
    pub(crate) dns: Duration,
    /// Whether the header of IPv4 comes along.
    pub(crate) raw: bool,
}

impl Egress {
    /// A socket for echo requests to `host`, which may be an address.
    ///
    /// # Errors
    /// The host is not called, has no address, or the system does not let us.
    pub(crate) async fn echoes(&self, host: &str, ip: Option<IpVersion>) -> Result<Echoes, Trouble> {
        let began = Instant::now();
        let addresses = self.addresses(host, ip).await?;
        let dns = began.elapsed();
        let address = *addresses.first().ok_or(EgressError::Dns)?;
        let (socket, raw) = open(address.is_ipv4())?;
        let connected = socket.connect(&SocketAddr::new(address, 0).into()).and_then(|()| UdpSocket::from_std(socket.into()));
        Ok(Echoes { socket: connected.map_err(|error| Trouble::io(&error))?, address, dns, raw })
    }
}

/// Whether echo requests can be sent here.
///
/// # Errors
/// They cannot; the text says what is missing.
pub fn echo_allowed() -> Result<(), EgressError> {
    open(true).map(drop)
}

/// The kind of socket that needs no privilege, or else the one that does; and whether it is the latter.
fn open(v4: bool) -> Result<(Socket, bool), EgressError> {
    let (domain, protocol) = if v4 { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let try_one = |kind: Type| -> io::Result<Socket> {
        let socket = Socket::new(domain, kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let plain = try_one(Type::DGRAM).map(|socket| (socket, false));
    plain.or_else(|_| try_one(Type::RAW).map(|socket| (socket, true))).map_err(|_| EgressError::NotAllowed(NOT_ALLOWED))
}
