//! Everything that speaks HTTP.

pub mod page;
