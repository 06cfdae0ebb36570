//! End-to-end tests: the parts of the binary on real servers.

mod app;
mod road;
mod servers;
mod subscribers;
