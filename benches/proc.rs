//! What the kernel says a program has cost.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The kernel counts time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// The processor time that a process and its children, but not theirs, have used so far.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(found) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that has ended meanwhile is none of ours.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let fields = fields(&stat)?;
        if found == pid || fields.first() == Some(&u64::from(pid)) {
            ticks += fields.get(10).context("utime")? + fields.get(11).context("stime")?;
        }
    }
    Ok(TICK * u32::try_from(ticks)?)
}

/// The numbers behind the name and the state, which may hold anything: the first is the parent.
fn fields(stat: &str) -> Result<Vec<u64>> {
    let (_, rest) = stat.rsplit_once(')').context("a line of /proc/<pid>/stat")?;
    // Some are negative; those that we read are not.
    Ok(rest.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect())
}

/// The memory of a process that is in use right now, in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
