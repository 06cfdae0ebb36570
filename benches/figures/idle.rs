//! What it costs to be there: memory when nothing happens, and the time from the start of the process until it is ready.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::REPETITIONS;
use crate::{
    fanal::{Prepared, Servers, Stack, is_ready},
    proc,
    report::Row,
    servers::wait_for,
    statistics::{Spread, ms},
    webhooks,
};

const N_COMPONENTS: usize = 1000;
/// Long enough for the first rendering and the first look at everything.
const REST: Duration = Duration::from_secs(2);

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for stack in Stack::ALL {
        let mut prepared = Prepared::new(stack, servers, &webhooks::configuration(N_COMPONENTS, None)).await?;
        let (mut memory, mut start) = (Spread::default(), Spread::default());
        for _ in 0..REPETITIONS {
            let begun = Instant::now();
            let fanal = prepared.start()?;
            let port = fanal.ops_port;
            wait_for("fanal to be ready", Duration::from_secs(30), || is_ready(port)).await?;
            start.push(ms(begun.elapsed()));
            tokio::time::sleep(REST).await;
            #[expect(clippy::cast_precision_loss, reason = "bytes")]
            memory.push(proc::resident(fanal.pid())? as f64 / f64::from(1 << 20));
            prepared = fanal.stop().await?;
        }
        let what = format!("{N_COMPONENTS} components, {stack}");
        let scale = "scale only: Vigil 11 MB, Uptime Kuma 147 MB".to_owned();
        rows.push(Row { reference: scale, ..Row::at_most(&format!("memory at rest, {what}"), &memory, "MiB", 40.0) });
        let scale = "scale only: Vigil 50–100 ms, Uptime Kuma 2.4 s".to_owned();
        rows.push(Row { reference: scale, ..Row::at_most(&format!("start until ready, {what}"), &start, "ms", 200.0) });
    }
    Ok(rows)
}
