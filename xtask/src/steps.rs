//! Steps with a heading and a time, and the commands they run.

use std::{
    env,
    ffi::OsStr,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// The steps done so far and how long each took.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Runs one step under its heading.
    pub(crate) fn step(&mut self, name: &'static str, act: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n=== {name}");
        let started = Instant::now();
        act().with_context(|| format!("step `{name}` failed after {:.0?}", started.elapsed()))?;
        println!("=== {name}: done in {:.1} s", started.elapsed().as_secs_f32());
        self.done.push((name, started.elapsed()));
        Ok(())
    }

    /// Prints how long each step took.
    pub(crate) fn summary(&self) {
        println!("\nAll steps passed:");
        for (name, took) in &self.done {
            println!("  {:>7.1} s  {name}", took.as_secs_f32());
        }
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        println!("  {:>7.1} s  in all", total.as_secs_f32());
    }
}

/// The cargo that runs us, in the root of the repository.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command in the root of the repository.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::root());
    command
}

/// Runs a command, shown before it starts, to its end.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("$ {shown}");
    let status = command.status().with_context(|| format!("`{shown}` does not start"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Whether a command, run silently, succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
