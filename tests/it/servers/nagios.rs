//! A real Nagios as a sender, set up with the very script and definitions of the guide for it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::{
    folder::Folder,
    process::{self, Process},
};

/// A host and a service of it, both in the state that a file names; and all that Nagios cannot do without.
const OBJECTS: &str = "
define timeperiod {
    timeperiod_name 24x7
    alias           always
    sunday          00:00-24:00
    monday          00:00-24:00
    tuesday         00:00-24:00
    wednesday       00:00-24:00
    thursday        00:00-24:00
    friday          00:00-24:00
    saturday        00:00-24:00
}
define command {
    command_name  state
    command_line  FOLDER/check.sh FOLDER/$ARG1$
}
define hostgroup {
    hostgroup_name harbour
    members        quay-1
}
define host {
    host_name             quay-1
    address               192.0.2.7
    check_command         state!host
    check_interval        1
    retry_interval        1
    max_check_attempts    1
    check_period          24x7
    notification_period   24x7
    notification_interval 60
    contacts              fanal
}
define service {
    host_name             quay-1
    service_description   http
    check_command         state!service
    check_interval        1
    retry_interval        1
    max_check_attempts    1
    check_period          24x7
    notification_period   24x7
    notification_interval 60
    contacts              fanal
}
";

/// The check. In a file of its own: a semicolon in a definition begins a comment.
const CHECK: &str = "#!/bin/sh\necho it is so\nexit $(cat \"$1\")\n";

/// Every second counts as a minute.
const CONFIGURATION: &str = "
cfg_file=FOLDER/objects.cfg
log_file=FOLDER/nagios.log
object_cache_file=FOLDER/objects.cache
status_file=FOLDER/status.dat
temp_path=FOLDER/spool
temp_file=FOLDER/temp
lock_file=FOLDER/lock
check_result_path=FOLDER/spool
state_retention_file=FOLDER/retention.dat
query_socket=FOLDER/nagios.qh
command_file=FOLDER/nagios.cmd
check_external_commands=0
check_for_updates=0
enable_notifications=1
interval_length=1
use_syslog=0
nagios_user=root
nagios_group=root
illegal_macro_output_chars=`~$&|'\"<>
";

/// A running Nagios. Dropping it ends it, and its workers with it.
pub(crate) struct Nagios {
    // Before the folder, so that it has ended when the folder goes.
    process: Process,
    folder: Folder,
}

impl Nagios {
    /// Starts it, with everything well, so that it notifies `url` with `secret` as `guide` has it.
    pub(crate) fn start(guide: &Path, url: &str, secret: &str) -> Result<Self> {
        let folder = Folder::new("nagios")?;
        let file = |name: &str| folder.path().join(name);
        let place = |path: PathBuf| path.display().to_string();
        fs::create_dir(file("spool"))?;
        fs::write(file("secret"), secret)?;
        for what in ["host", "service"] {
            fs::write(file(what), "0")?;
        }
        let guide = fs::read_to_string(guide)?;
        let block = |first: &str| guide.split("```").find(|block| block.contains(first)).map(|block| block.trim_start_matches("sh"));
        let script = block("#!/bin/sh").context("the guide has a script")?;
        for (name, script) in [("fanal.sh", script.trim_start()), ("check.sh", CHECK)] {
            fs::write(file(name), script)?;
            fs::set_permissions(file(name), fs::Permissions::from_mode(0o755))?;
        }
        let definitions = block("define contact").context("the guide has definitions")?;
        let parts = [("{{ url }}", url.to_owned()), ("/etc/nagios4/fanal.secret", place(file("secret")))];
        let parts = parts.into_iter().chain([("/usr/local/lib/nagios/fanal.sh", place(file("fanal.sh")))]);
        let definitions = parts.fold(definitions.to_owned(), |text, (placeholder, value)| {
            assert!(text.contains(placeholder), "the guide names {placeholder}");
            text.replace(placeholder, &value)
        });
        let root = place(folder.path().to_owned());
        fs::write(file("objects.cfg"), format!("{definitions}{}", OBJECTS.replace("FOLDER", &root)))?;
        fs::write(file("nagios.cfg"), CONFIGURATION.replace("FOLDER", &root))?;
        let program = process::find_program("nagios4")?;
        let process = Process::start(&program, &[place(file("nagios.cfg"))], None, &file("log"))?;
        Ok(Self { process, folder })
    }

    /// Sets what the check of `host` or `service` ends with from now on: 0 is well, 2 is critical.
    pub(crate) fn set(&self, what: &str, code: u8) -> Result<()> {
        // In one step: a check may read it at any moment.
        let new = self.folder.path().join("new");
        fs::write(&new, code.to_string())?;
        fs::rename(new, self.folder.path().join(what))?;
        Ok(())
    }

    /// Fails, with what it wrote, if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        let log = fs::read_to_string(self.folder.path().join("nagios.log")).unwrap_or_default();
        ensure!(self.process.check_running().is_ok(), "Nagios has ended:\n{log}");
        Ok(())
    }
}
