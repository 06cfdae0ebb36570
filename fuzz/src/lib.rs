//! What all fuzz targets share: limits on every run, and seeds from the repository's own files.
//!
//! A run that panics is a finding, and so is one that takes more than [`MAX_TIME`] or holds more than [`MAX_BYTES`]: whoever sends what we
//! read must not be able to make it expensive.

mod fixtures;
mod texts;

use std::{alloc::System, env, fs, path::PathBuf, time::Duration};

use cap::Cap;
use domain::{MAX_FINGERPRINT_BYTES, MAX_SIGNALS, Signal};
use rustix::time::{ClockId, clock_gettime};

pub use fixtures::{Case, Kind};
pub use texts::{expressions, markdown, yaml};

/// The most processor time of one run. Coverage counters and overflow checks slow it down several times; an input of one MiB gets as much.
const MAX_TIME: Duration = Duration::from_millis(300);
/// The most memory one run may hold.
const MAX_BYTES: usize = 64 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Runs `work` within the limits. Too much memory ends the process, too much time panics.
///
/// # Panics
/// It took too long.
pub fn within_limits<T>(work: impl FnOnce() -> T) -> T {
    let limit = MEMORY.allocated() + MAX_BYTES;
    MEMORY.set_limit(limit).expect("the limit lies above what is held");
    let began = processor_time();
    let done = work();
    let took = processor_time().saturating_sub(began);
    MEMORY.set_limit(usize::MAX).expect("no limit");
    assert!(took <= MAX_TIME, "took {took:?}");
    done
}

fn processor_time() -> Duration {
    // Of the whole process: expressions are compiled on a thread of their own.
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Whatever was read, its signals keep to the limits.
///
/// # Panics
/// They do not.
pub fn check_signals(signals: &[Signal]) {
    assert!(signals.len() <= MAX_SIGNALS + 1, "{} signals", signals.len());
    for signal in signals {
        assert!(signal.fingerprint.len() <= MAX_FINGERPRINT_BYTES, "a fingerprint of {} bytes", signal.fingerprint.len());
        assert!(signal.value.is_none_or(f64::is_finite), "a value that is no number");
    }
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Writes seeds where `cargo xtask fuzz` wants them, before the fuzzer looks there; and runs each that a person has written in one go.
///
/// # Panics
/// The folder cannot be written.
pub fn plant(seeds: impl IntoIterator<Item = Vec<u8>>) {
    let Some(folder) = env::var_os("FANAL_FUZZ_SEEDS").map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("a folder for seeds");
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:05}")), seed).expect("a seed");
    }
}
