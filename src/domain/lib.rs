//! What things are and how they are decided.
//!
//! No I/O, no clock, no async: every function here gives the same answer for the same arguments.

mod delivery;
mod expression;
mod model;
mod notice;
mod signal;
mod status;
mod time;

pub use delivery::NewDelivery;
pub use expression::{Expression, ExpressionError, MAX_EXPRESSION_BYTES, MAX_RENDERED_BYTES, check_template, render_template, to_value};
pub use model::*;
pub use notice::{Channel, Claimed, Notice, NoticeAbout, NoticeKind, Outcome, Recipient};
pub use signal::{MAX_FINGERPRINT_BYTES, MAX_SIGNALS, Signal, SignalState};
pub use status::{Impact, Severity, Status, UnknownName};
pub use time::{MAX_SPAN, Span, TimeError, Timestamp};
