//! Everything that speaks HTTP.

pub mod admin;
