//! End-to-end tests: the parts of the binary on real servers.

mod app;
mod fairness;
mod outages;
mod road;
mod servers;
mod subscribers;
