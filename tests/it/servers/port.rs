//! Ports for servers that are told theirs before they start.

use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Context, Result};

/// Below the ports that the kernel takes for outgoing connections (from 32768 on): one of those may be gone between the look and the
/// server's own `bind`, and is now and then.
const FIRST: u16 = 18_000;
const COUNT: u16 = 14_000;

/// A port of the loopback that nobody listens on right now, and that this process gives out once only.
pub(crate) fn spare_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Where this process begins, so that two that run at once do not meet.
    let offset = process::id().wrapping_mul(1_009) % u32::from(COUNT);
    let mut candidates = (0..COUNT).map(|_| {
        let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        FIRST + ((offset + turn) % u32::from(COUNT)) as u16
    });
    candidates.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("no port to be had on 127.0.0.1")
}
