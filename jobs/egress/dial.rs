//! Single connections for checks, which measure them: to checked addresses only, like everything that leaves.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use integrations::check::{Failure, FailureKind, IpVersion};
use tokio::{
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout},
};
use url::Host;

use super::{Egress, EgressError, Refused, Unusable, address, check_host, checked};

/// Addresses of one name that are tried, one after another.
const MAX_ADDRESSES: usize = 4;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// We do not go there.
    Refused(EgressError),
    /// It did not come about, which is a finding.
    Failed(Failure),
}

impl From<EgressError> for Trouble {
    fn from(error: EgressError) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Trouble {
    /// What broke while a connection stood or was made.
    pub(crate) fn io(error: &io::Error) -> Self {
        use io::ErrorKind;
        let (kind, text) = match error.kind() {
            ErrorKind::ConnectionRefused => (FailureKind::ConnectionRefused, "the connection was refused"),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                (FailureKind::Unreachable, "there is no way to the address")
            }
            ErrorKind::TimedOut => (FailureKind::Timeout, "no connection in time"),
            _ => (FailureKind::ConnectionLost, "the connection broke"),
        };
        Self::Failed(Failure::new(kind, text))
    }
}

/// A connection, and how long it took.
pub(crate) struct Dialed {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) dns: Duration,
    pub(crate) connect: Duration,
}

impl Egress {
    /// Connects to `host`, which may be an address. All of it together takes at most `patience`.
    ///
    /// # Errors
    /// The host is not called, or does not answer.
    pub(crate) async fn dial(&self, host: &str, port: u16, ip: Option<IpVersion>, patience: Duration) -> Result<Dialed, Trouble> {
        let began = Instant::now();
        let addresses = self.addresses(host, ip).await?;
        let (dns, connecting) = (began.elapsed(), Instant::now());
        let tried = &addresses[..addresses.len().min(MAX_ADDRESSES)];
        let mut trouble = Trouble::Failed(Failure::new(FailureKind::Timeout, "no connection in time"));
        for (index, ip) in tried.iter().enumerate() {
            let address = SocketAddr::new(*ip, port);
            // An address that is silent must not use up the time of those after it.
            let share = patience.saturating_sub(began.elapsed()) / u32::try_from(tried.len() - index).unwrap_or(1);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true); // Only makes small writes slower.
                    return Ok(Dialed { stream, address, dns, connect: connecting.elapsed() });
                }
                Ok(Err(error)) => trouble = Trouble::io(&error),
                Err(_) => trouble = Trouble::Failed(Failure::new(FailureKind::Timeout, "no connection in time")),
            }
        }
        Err(trouble)
    }

    /// A socket that talks to a name server of the settings, and to no other.
    ///
    /// # Errors
    /// The address is not called, or cannot be reached.
    pub(crate) async fn datagrams(&self, server: SocketAddr) -> Result<UdpSocket, Trouble> {
        self.check_address(server.ip())?;
        datagrams(server).await
    }

    /// Whether a name may be asked for: those inside are nobody's business.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), EgressError> {
        check_host(Some(Host::Domain(name)), self.policy.allow_private)
    }

    fn check_address(&self, ip: IpAddr) -> Result<(), EgressError> {
        let refused = |why| EgressError::Refused(Refused { host: ip.to_string(), why });
        address::refusal(ip, self.policy.allow_private).map_or(Ok(()), |why| Err(refused(why)))
    }

    pub(super) async fn addresses(&self, host: &str, ip: Option<IpVersion>) -> Result<Vec<IpAddr>, Trouble> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let all = if let Ok(ip) = bare.parse::<IpAddr>() {
            self.check_address(ip)?;
            vec![ip]
        } else {
            // As a URL reads it: `127.1` and `0x7f.1` are addresses in disguise.
            match Host::parse(host).map_err(|_| EgressError::Url("the host is not a name or an address".to_owned()))? {
                Host::Ipv4(ip) => {
                    self.check_address(ip.into())?;
                    vec![ip.into()]
                }
                Host::Ipv6(ip) => {
                    self.check_address(ip.into())?;
                    vec![ip.into()]
                }
                Host::Domain(name) => self.look_up(name).await?,
            }
        };
        let wanted = |address: &IpAddr| match ip {
            None => true,
            Some(IpVersion::V4) => address.is_ipv4(),
            Some(IpVersion::V6) => address.is_ipv6(),
        };
        let fitting: Vec<IpAddr> = all.into_iter().filter(wanted).collect();
        if fitting.is_empty() {
            return Err(Failure::new(FailureKind::Resolve, "the name has no address of this kind").into());
        }
        Ok(fitting)
    }

    async fn look_up(&self, name: String) -> Result<Vec<IpAddr>, Trouble> {
        self.check_name(&name)?;
        match checked(name.clone(), (self.lookup)(name), self.policy.allow_private).await {
            Ok(addresses) => Ok(addresses),
            Err(Unusable::Refused(refused)) => Err(EgressError::Refused(refused).into()),
            Err(Unusable::Failed) => Err(Failure::new(FailureKind::Resolve, "the name could not be resolved").into()),
        }
    }
}

/// As [`Egress::datagrams`], to the name server that the machine's operator chose: wherever it is.
pub(crate) async fn datagrams(server: SocketAddr) -> Result<UdpSocket, Trouble> {
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(|error| Trouble::io(&error))?;
    socket.connect(server).await.map_err(|error| Trouble::io(&error))?;
    Ok(socket)
}
