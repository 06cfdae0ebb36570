//! End-to-end tests: the parts of the binary on real servers.

mod app;
mod fairness;
mod faults;
mod history;
mod hooks;
mod outages;
mod polls;
mod processes;
mod road;
mod servers;
mod storm;
mod subscribers;
mod told;
