//! Work done away from requests: delivering notifications, and the queue that carries them.

pub mod audit_stream;
mod certificate;
pub mod channels;
mod check;
mod clock;
pub mod confirmations;
pub mod egress;
pub mod evaluator;
mod fairness;
pub mod heartbeats;
pub mod housekeeping;
pub mod notify;
pub mod poll;
pub mod queue;
mod retry_after;
pub mod schedule;
pub mod shared_limits;
pub mod silence;
pub mod sweep;

pub use clock::Clock;
