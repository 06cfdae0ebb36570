//! Deliveries: what a sender said, kept as it came.

use crate::{IntegrationId, Timestamp};

/// A verified request that is worth storing. Only `integrations::accept` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Whom it was sent to.
    pub integration: IntegrationId,
    /// The sender's own id, the same on every repeat; a random one where the sender has none. At most 200 bytes, without control characters.
    pub external_id: String,
    /// Names in lower case. Credentials are redacted, and what exceeds the limits is left out.
    pub headers: Vec<(String, String)>,
    /// The bytes that were verified.
    pub body: Vec<u8>,
    /// When it arrived, on our clock.
    pub received_at: Timestamp,
}
