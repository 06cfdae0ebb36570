//! Work done away from requests: delivering notifications, and the queue that carries them.

pub mod channels;
pub mod egress;
pub mod queue;
pub mod schedule;
