//! Temporary folders, one for each server.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result};

/// Begins the name of the folder of one test process; its process id follows.
const PREFIX: &str = "fanal-it-";

/// A folder that goes when it is dropped.
///
/// Those of shared servers are never dropped: the next test process removes what a past one has left.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder whose name begins with `name`.
    ///
    /// It lies in the system's temporary folder, because another user must be able to reach it and the path of a socket must be short.
    pub(crate) fn new(name: &str) -> Result<Self> {
        static SWEPT: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        SWEPT.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{PREFIX}{}", process::id())).join(format!("{name}-{number}"));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Removes the folders of test processes that are no more.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if !Path::new("/proc").join(pid.to_string()).exists() {
            // Another test process may be sweeping too.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}
