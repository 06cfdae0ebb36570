//! End-to-end tests: the parts of the binary on real servers.

mod app;
mod audit;
mod checks;
mod console;
mod durability;
mod fairness;
mod faults;
mod history;
mod hooks;
mod mail;
mod mapping;
mod outages;
mod pages;
mod polls;
mod processes;
mod road;
mod secrets;
mod servers;
mod sources;
mod storm;
mod subscribers;
mod tokens;
mod told;
mod vulnerabilities;
