//! TLS: the handshake, and what the certificate is worth.

use std::sync::Arc;

use integrations::check::{Failure, FailureKind, TlsProbe};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Attempt, add};
use crate::{
    certificate::{Recorder, inspect},
    egress::Trouble,
};

pub(super) async fn run(attempt: &mut Attempt<'_>, probe: &TlsProbe) -> Result<(), Trouble> {
    let stream = attempt.connect(&probe.host, probe.port).await?;
    secure(attempt, stream, &probe.server_name).await.map(drop)
}

/// Makes the connection secure, whatever the certificate, which is written down. Who goes on must look at it first.
pub(super) async fn secure(attempt: &mut Attempt<'_>, stream: TcpStream, name: &str) -> Result<TlsStream<TcpStream>, Trouble> {
    let bare = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| Failure::new(FailureKind::Tls, "the name cannot be asked for"))?;
    let recorder = Arc::new(Recorder::new());
    let setup = |error: &rustls::Error| Failure::new(FailureKind::Tls, format!("TLS could not be set up: {error}"));
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // What was shown before must be shown again.
    config.resumption = rustls::client::Resumption::disabled();
    let began = Instant::now();
    let shaken = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await;
    add(&mut attempt.measured.timings.tls, began.elapsed());
    let now = attempt.measured.at.unwrap_or_default();
    attempt.measured.certificate = inspect(&recorder.seen(), &name, attempt.egress.roots(), now);
    shaken.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(inner) => Failure::new(FailureKind::Tls, format!("TLS failed: {inner}")).into(),
            None => Trouble::io(&error),
        }
    })
}
