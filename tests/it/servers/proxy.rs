//! A wire between the binary and a server that can be cut in two ways: so that both ends notice, and so that neither does.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::{
    io::{copy, copy_bidirectional, sink},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Carries everything.
    Pass,
    /// Closes what stands and lets nobody in.
    Refuse,
    /// Swallows everything and says nothing. A connection that was swallowed once stays dead for ever, and neither end is told.
    Blackhole,
}

/// The wire. Dropping it cuts it.
pub(crate) struct Proxy {
    port: u16,
    upstream: u16,
    manner: watch::Sender<Manner>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// A wire to where `url` leads, which is a port of 127.0.0.1.
    pub(crate) async fn to(url: &str) -> Result<Self> {
        let (_, rest) = url.split_once("127.0.0.1:").context("a URL on the loopback")?;
        let upstream: u16 = rest.split(['/', '?']).next().unwrap_or_default().parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (manner, changes) = watch::channel(Manner::Pass);
        let task = tokio::spawn(accept(listener, upstream, changes));
        Ok(Self { port, upstream, manner, task })
    }

    /// The same URL, through the wire.
    pub(crate) fn through(&self, url: &str) -> String {
        url.replace(&format!("127.0.0.1:{}", self.upstream), &format!("127.0.0.1:{}", self.port))
    }

    /// Changes what it does, from now on.
    pub(crate) fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: u16, mut manner: watch::Receiver<Manner>) {
    let address = listener.local_addr().expect("it is bound");
    let mut listener = Some(listener);
    let mut carried = JoinSet::new();
    loop {
        let refuses = *manner.borrow_and_update() == Manner::Refuse;
        if refuses {
            listener = None;
        } else if listener.is_none() {
            listener = bind_again(address).await;
        }
        let Some(open) = &listener else {
            if manner.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((client, _)) = accepted {
                carried.spawn(carry(client, upstream, manner.clone()));
            },
            changed = manner.changed() => if changed.is_err() { return },
        }
        while carried.try_join_next().is_some() {}
    }
}

async fn bind_again(address: SocketAddr) -> Option<TcpListener> {
    TcpListener::bind(address).await.inspect_err(|error| eprintln!("the wire cannot be mended: {error}")).ok()
}

async fn carry(mut client: TcpStream, upstream: u16, mut manner: watch::Receiver<Manner>) {
    // Kept open in the dark: the server behind does not learn that nobody listens any more.
    let mut server = None;
    if *manner.borrow() == Manner::Pass {
        let Ok(mut connected) = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await else { return };
        let cut = manner.wait_for(|manner| *manner != Manner::Pass);
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut connected) => return,
            cut = cut => if cut.is_err() { return },
        }
        server = Some(connected);
    }
    let mut nowhere = sink();
    tokio::select! {
        // Until the client gives up.
        _ = copy(&mut client, &mut nowhere) => {}
        _ = manner.wait_for(|manner| *manner == Manner::Refuse) => {}
    }
    drop(server);
}
