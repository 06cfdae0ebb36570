//! Measures Fanal beside other programs, in one run on one machine, and prints the table.
//!
//! Correctness is asserted (every request is answered as it should, every body is the right one); times are reported and never fail a run.

mod client;
mod fanal;
mod figures;
mod pace;
mod proc;
mod report;
mod servers;
mod statistics;
mod webhooks;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::{fanal::Servers, report::Row};

const FIGURES: [&str; 8] = ["page", "stall", "intake", "shown", "told", "idle", "polls", "console"];

#[tokio::main]
async fn main() -> Result<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !FIGURES.contains(&name.as_str())) {
        bail!("there is no figure `{unknown}`; there are {}", FIGURES.join(", "));
    }
    if wanted.is_empty() {
        wanted = FIGURES.map(str::to_owned).to_vec();
    }
    let servers = Servers::start().await?;
    let mut rows = Vec::new();
    for name in wanted {
        let begun = Instant::now();
        rows.extend(measure(&name, &servers).await?);
        eprintln!("{name}: done in {:.0} s", begun.elapsed().as_secs_f32());
    }
    println!("{}", report::table(&rows));
    Ok(())
}

async fn measure(name: &str, servers: &Servers) -> Result<Vec<Row>> {
    match name {
        "page" => figures::page::measure(servers).await,
        "stall" => figures::stall::measure(servers).await,
        "intake" => figures::intake::measure(servers).await,
        "shown" => figures::shown::measure(servers).await,
        "told" => figures::told::measure(servers).await,
        "polls" => figures::polls::measure(servers).await,
        "console" => figures::console::measure(servers).await,
        _ => figures::idle::measure(servers).await,
    }
}
