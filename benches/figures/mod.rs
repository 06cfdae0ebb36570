//! The figures, one file each.

pub(crate) mod console;
pub(crate) mod idle;
pub(crate) mod intake;
pub(crate) mod page;
pub(crate) mod polls;
pub(crate) mod shown;
pub(crate) mod stall;
pub(crate) mod told;

/// How often each is measured, in turn with its reference.
pub(crate) const REPETITIONS: usize = 5;
