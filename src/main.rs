//! The command line: one role or command each.

mod actor;
mod commands;
mod config;
mod demo;
mod doctor;
mod guard;
mod replay;
mod serve;
mod users;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use config::Config;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fanal: a status page and webhook-driven integration hub.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the page and the hooks, evaluate, and deliver notifications.
    Serve,
    /// Evaluate and deliver notifications, without serving anything but health and metrics.
    Work,
    /// Serve an invented company from a temporary folder, to look around.
    Demo,
    /// Bring the database's schema up to date.
    Migrate,
    /// API tokens.
    Token {
        #[command(subcommand)]
        command: guard::TokenCommand,
    },
    /// People who sign in to the console.
    User {
        #[command(subcommand)]
        command: users::UserCommand,
    },
    /// The keys that secrets lie under.
    Secrets {
        #[command(subcommand)]
        command: guard::SecretsCommand,
    },
    /// Show what applying a configuration file would change.
    Plan(commands::FileArgument),
    /// Make the configuration equal to a file, in one transaction.
    Apply(commands::FileArgument),
    /// Print the configuration as a file that `apply` reads.
    Export,
    /// Fold all stored deliveries again and compare the result with the stored state.
    Replay,
    /// List the kinds of senders and sources, or show how one is set up.
    Providers {
        /// Which one, such as `github`.
        slug: Option<String>,
    },
    /// Send notifications again that were given up.
    Resend(commands::ResendArguments),
    /// Prove that nobody has changed, removed or reordered what stands in the audit log; exits with 1 otherwise.
    VerifyAudit(guard::VerifyAuditArguments),
    /// Say what is wrong with this set-up.
    Doctor {
        /// Ask the running process whether it is ready, and nothing else: for health checks of containers.
        #[arg(long)]
        ready: bool,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // With two providers of cryptography in the tree none is the default; say which before anything opens a connection.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let matches = config::with_file(Cli::command())?.get_matches();
    let Cli { config, command } = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    config.start_logging()?;
    storage::passwords::use_memory(config.password_memory_mib);
    match command {
        Command::Serve => serve::run(config, true).await,
        Command::Work => serve::run(config, false).await,
        Command::Demo => demo::run(config).await,
        Command::Migrate => commands::migrate(&config).await,
        Command::Token { command } => guard::token(&config, command).await,
        Command::User { command } => users::run(&config, command).await,
        Command::Secrets { command } => guard::secrets(&config, command).await,
        Command::Plan(file) => commands::plan(&config, &file).await,
        Command::Apply(file) => commands::apply(&config, &file).await,
        Command::Export => commands::export(&config).await,
        Command::Replay => replay::run(&config).await,
        Command::Providers { slug } => commands::providers(slug.as_deref()),
        Command::Resend(arguments) => commands::resend(&config, &arguments).await,
        Command::VerifyAudit(arguments) => guard::verify_audit(&config, &arguments).await,
        Command::Doctor { ready: true } => doctor::ask_ready(&config).await,
        Command::Doctor { ready: false } => doctor::examine(&config).await,
    }
}
