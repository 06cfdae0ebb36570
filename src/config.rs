//! Settings, from flags, the environment or a file. `--help` is the reference.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, bail};
use jobs::{
    audit_stream::Sink,
    channels::{
        email::{Dkim, Email, EmailSettings},
        webhook,
    },
    egress::EgressPolicy,
};
use secrecy::{ExposeSecret, SecretString};
use server::console::{self, oidc::Oidc};
use storage::{
    Db, Schema, SecretBox,
    passwords::{MAX_MEMORY_MIB, MIN_MEMORY_MIB},
};
use url::Url;

/// Settings, from flags, the environment or a file. Secrets are never printed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Config {
    /// YAML file with settings: the flags' names with underscores, such as `data_dir: /var/lib/fanal`. Flags and environment win.
    #[arg(long, env = "FANAL_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Folder for the SQLite files and the secret key.
    #[arg(long, env = "FANAL_DATA_DIR", default_value = "./data", global = true)]
    pub(crate) data_dir: PathBuf,
    /// Database: `sqlite://…` or `postgres://…`. [default: fanal.db in the data folder]
    #[arg(long, env = "FANAL_DATABASE_URL", hide_env_values = true, global = true)]
    pub(crate) database_url: Option<SecretString>,
    /// Queue: `redis://…`, `postgres://…` or `sqlite://…`. [default: beside the database]
    #[arg(long, env = "FANAL_QUEUE_URL", hide_env_values = true, global = true)]
    pub(crate) queue_url: Option<SecretString>,
    /// Address that the page and the hooks are served on.
    #[arg(long, env = "FANAL_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub(crate) listen: SocketAddr,
    /// Address that `/metrics`, `/healthz` and `/readyz` are served on.
    #[arg(long, env = "FANAL_OPS_LISTEN", default_value = "127.0.0.1:9090", global = true)]
    pub(crate) ops_listen: SocketAddr,
    /// Where readers find the page. [default: http:// and the listen address]
    #[arg(long, env = "FANAL_BASE_URL", global = true)]
    pub(crate) base_url: Option<Url>,
    /// 32 bytes in base64 that encrypt secrets; several, separated by commas, while one replaces another.
    /// [default: made on first start in the data folder; required with PostgreSQL]
    #[arg(long, env = "FANAL_SECRET_KEY", hide_env_values = true, global = true)]
    pub(crate) secret_key: Option<SecretString>,
    /// File that holds the secret key.
    #[arg(long, env = "FANAL_SECRET_KEY_FILE", global = true)]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// Mail server: `smtp://user:password@host:587?tls=required` or `smtps://…`. Without it mail is off.
    #[arg(long, env = "FANAL_SMTP_URL", hide_env_values = true, global = true)]
    pub(crate) smtp_url: Option<SecretString>,
    /// Sender of mail, such as `Acme status <status@example.com>`.
    #[arg(long, env = "FANAL_MAIL_FROM", global = true)]
    pub(crate) mail_from: Option<String>,
    /// Domain of the DKIM signature.
    #[arg(long, env = "FANAL_DKIM_DOMAIN", global = true)]
    pub(crate) dkim_domain: Option<String>,
    /// Selector of the DKIM signature.
    #[arg(long, env = "FANAL_DKIM_SELECTOR", global = true)]
    pub(crate) dkim_selector: Option<String>,
    /// File with the DKIM key, PEM.
    #[arg(long, env = "FANAL_DKIM_KEY_FILE", global = true)]
    pub(crate) dkim_key_file: Option<PathBuf>,
    /// Let outgoing webhooks go to private, loopback and link-local addresses.
    #[arg(long, env = "FANAL_ALLOW_PRIVATE_TARGETS", default_value_t = false, value_parser = clap::builder::BoolishValueParser::new(), action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", global = true)]
    pub(crate) allow_private_targets: bool,
    /// Let polls, checks and outgoing webhooks go to `http://`. [default: as private targets, which seldom have TLS]
    #[arg(long, env = "FANAL_ALLOW_PLAIN_HTTP", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, default_missing_value = "true", global = true)]
    pub(crate) allow_plain_http: Option<bool>,
    /// Addresses and networks, separated by commas, of proxies whose `X-Forwarded-For` is believed.
    #[arg(long, env = "FANAL_TRUSTED_PROXIES", default_value = "", hide_default_value = true, global = true)]
    pub(crate) trusted_proxies: server::TrustedProxies,
    /// Mail address that is told when an endpoint is switched off.
    #[arg(long, env = "FANAL_OWNER_EMAIL", global = true)]
    pub(crate) owner_email: Option<String>,
    /// Whom to tell of a vulnerability, for `/.well-known/security.txt`: mail addresses, or `mailto:`, `https:` or `tel:` addresses,
    /// separated by commas.
    #[arg(id = "security_contact", long = "security-contact", env = "FANAL_SECURITY_CONTACT", value_delimiter = ',', global = true)]
    pub(crate) security_contacts: Vec<server::page::SecurityContact>,
    /// Roles that need a second factor to sign in to the console, separated by commas, such as `owner,admin`.
    #[arg(id = "require_factor", long = "require-factor", env = "FANAL_REQUIRE_FACTOR", value_delimiter = ',', global = true)]
    pub(crate) factor_roles: Vec<domain::Role>,
    /// Identity provider (OIDC) to sign in to the console with, exactly as it writes itself: `https://id.example.com`.
    #[arg(long, env = "FANAL_OIDC_ISSUER", global = true)]
    pub(crate) oidc_issuer: Option<String>,
    /// What the identity provider knows us by.
    #[arg(long, env = "FANAL_OIDC_CLIENT_ID", global = true)]
    pub(crate) oidc_client_id: Option<String>,
    /// What we prove that with.
    #[arg(long, env = "FANAL_OIDC_CLIENT_SECRET", hide_env_values = true, global = true)]
    pub(crate) oidc_client_secret: Option<SecretString>,
    /// File that holds the client's secret.
    #[arg(long, env = "FANAL_OIDC_CLIENT_SECRET_FILE", global = true)]
    pub(crate) oidc_client_secret_file: Option<PathBuf>,
    /// Which group of the identity provider gives which role, such as `sre=operator,platform=admin`. Empty: roles are given in Fanal alone.
    #[arg(long, env = "FANAL_OIDC_ROLES", default_value = "", hide_default_value = true, global = true)]
    pub(crate) oidc_roles: console::oidc::RoleMap,
    /// The claim that names somebody's groups; one within another with dots, such as `realm_access.roles`.
    #[arg(long, env = "FANAL_OIDC_GROUPS_CLAIM", default_value = "groups", global = true)]
    pub(crate) oidc_groups_claim: String,
    /// What the identity provider is called on the button.
    #[arg(long, env = "FANAL_OIDC_NAME", default_value = "single sign-on", global = true)]
    pub(crate) oidc_name: String,
    /// Let only owners sign in without the identity provider.
    #[arg(long, env = "FANAL_OIDC_ONLY", default_value_t = false, value_parser = clap::builder::BoolishValueParser::new(), action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", global = true)]
    pub(crate) oidc_only: bool,
    /// Days a delivery is kept.
    #[arg(long, env = "FANAL_DELIVERY_RETENTION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650), global = true)]
    pub(crate) delivery_retention_days: u16,
    /// Days an act stands in the audit log.
    #[arg(long, env = "FANAL_AUDIT_RETENTION_DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=36500), global = true)]
    pub(crate) audit_retention_days: u16,
    /// MiB of memory that hashing one password takes; `fanal doctor` says what this machine affords.
    #[arg(long, env = "FANAL_PASSWORD_MEMORY_MIB", default_value_t = MIN_MEMORY_MIB, value_parser = clap::value_parser!(u32).range(i64::from(MIN_MEMORY_MIB)..=i64::from(MAX_MEMORY_MIB)), global = true)]
    pub(crate) password_memory_mib: u32,
    /// Requests a second that one token may make of the admin API; five times as many at once.
    #[arg(long, env = "FANAL_TOKEN_REQUESTS_PER_SECOND", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10000), global = true)]
    pub(crate) token_requests_per_second: u16,
    /// Where the audit log is handed on to: `syslog+udp://host:514`, `syslog+tcp://host:601`, `syslog+unix:///dev/log`, or `https://…`
    /// for signed webhooks.
    #[arg(long, env = "FANAL_AUDIT_SINK", hide_env_values = true, global = true)]
    pub(crate) audit_sink: Option<Sink>,
    /// What webhooks of the audit log are signed with: `whsec_` and 24 to 64 bytes in base64.
    #[arg(long, env = "FANAL_AUDIT_WEBHOOK_SECRET", hide_env_values = true, global = true)]
    pub(crate) audit_webhook_secret: Option<SecretString>,
    /// What is logged: `error`, `warn`, `info`, `debug`, or a filter such as `info,server=debug`.
    #[arg(long, env = "FANAL_LOG", default_value = "info", global = true)]
    pub(crate) log: String,
    /// `text` or `json`.
    #[arg(long, env = "FANAL_LOG_FORMAT", default_value = "text", global = true)]
    pub(crate) log_format: String,
}

/// The command line with what the settings file says as defaults, if there is one.
pub(crate) fn with_file(command: clap::Command) -> anyhow::Result<clap::Command> {
    // Only to find the file: everything else is read, or refused, once its settings are known.
    let first = command.clone().ignore_errors(true).disable_help_flag(true).disable_version_flag(true).get_matches();
    let Some(path) = first.get_one::<PathBuf>("config") else { return Ok(command) };
    let text = std::fs::read_to_string(path).with_context(|| format!("the settings file {} cannot be read", path.display()))?;
    let names: Vec<String> = command.get_arguments().map(|arg| arg.get_id().to_string()).filter(|name| name != "config").collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let settings = configuration::settings(&text, &known)
        .map_err(|problems| anyhow::anyhow!("the settings file\n{}", configuration::describe(&path.display().to_string(), &problems)))?;
    Ok(settings.into_iter().fold(command, |command, (name, value)| {
        // Lives as long as the command line, which is as long as the process.
        let value: &'static str = value.leak();
        command.mut_arg(name, |arg| {
            let secret = arg.is_hide_env_values_set();
            arg.default_value(value).hide_default_value(secret)
        })
    }))
}

impl Config {
    pub(crate) fn start_logging(&self) -> anyhow::Result<()> {
        let filter = tracing_subscriber::EnvFilter::try_new(&self.log).context("FANAL_LOG is not a log filter")?;
        // Whoever reads the log may go away: nothing stops because of that.
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
        match self.log_format.as_str() {
            "json" => builder.json().init(),
            "text" => builder.init(),
            other => bail!("FANAL_LOG_FORMAT is `{other}`, it must be `text` or `json`"),
        }
        Ok(())
    }

    pub(crate) fn base_url(&self) -> anyhow::Result<Url> {
        let default = || Url::parse(&format!("http://{}/", self.listen)).context("FANAL_LISTEN gives no URL");
        let url = self.base_url.clone().map_or_else(default, Ok)?;
        if !matches!(url.scheme(), "http" | "https") {
            bail!("FANAL_BASE_URL must begin with http:// or https://");
        }
        Ok(url)
    }

    pub(crate) fn database_url(&self) -> SecretString {
        self.database_url.clone().unwrap_or_else(|| format!("sqlite://{}", self.data_dir.join("fanal.db").display()).into())
    }

    pub(crate) fn queue_url(&self) -> SecretString {
        let beside = || match self.database_url() {
            url if url.expose_secret().starts_with("postgres") => url,
            _ => format!("sqlite://{}", self.data_dir.join("queue.db").display()).into(),
        };
        self.queue_url.clone().unwrap_or_else(beside)
    }

    /// What polls, checks and outgoing webhooks may reach.
    pub(crate) fn egress_policy(&self) -> EgressPolicy {
        let allow_private = self.allow_private_targets;
        EgressPolicy { allow_private, require_tls: !self.allow_plain_http.unwrap_or(allow_private) }
    }

    /// How mail is sent, if it is.
    pub(crate) fn email(&self) -> anyhow::Result<Option<Email>> {
        let Some(smtp_url) = self.smtp_url.clone() else { return Ok(None) };
        let from = self.mail_from.clone().context("FANAL_MAIL_FROM is needed with FANAL_SMTP_URL")?;
        let dkim = match (&self.dkim_domain, &self.dkim_selector, &self.dkim_key_file) {
            (None, None, None) => None,
            (Some(domain), Some(selector), Some(file)) => {
                let key = std::fs::read_to_string(file).with_context(|| format!("FANAL_DKIM_KEY_FILE {}", file.display()))?;
                Some(Dkim { domain: domain.clone(), selector: selector.clone(), key_pem: key.into() })
            }
            _ => bail!("FANAL_DKIM_DOMAIN, FANAL_DKIM_SELECTOR and FANAL_DKIM_KEY_FILE are needed together"),
        };
        Ok(Some(Email::new(&EmailSettings { smtp_url, from, dkim })?))
    }

    /// Where the audit log is handed on to, if it is, with the secret that webhooks of it are signed with.
    pub(crate) fn audit_sink(&self) -> anyhow::Result<Option<(Sink, Option<SecretString>)>> {
        let Some(sink) = self.audit_sink.clone() else { return Ok(None) };
        if let Sink::Webhook(_) = &sink {
            let secret =
                self.audit_webhook_secret.as_ref().context("FANAL_AUDIT_WEBHOOK_SECRET is needed for webhooks of the audit log")?;
            webhook::check_secret(secret).context("FANAL_AUDIT_WEBHOOK_SECRET")?;
        }
        Ok(Some((sink, self.audit_webhook_secret.clone())))
    }

    /// The database, with its schema up to date.
    pub(crate) async fn open(&self) -> anyhow::Result<Db> {
        let db = Db::open(self.database_url().expose_secret()).await.context("FANAL_DATABASE_URL: the database cannot be opened")?;
        db.migrate().await.context("the database's schema cannot be brought up to date; `fanal migrate` does it as a role that may")?;
        Ok(db)
    }

    /// The database as it is, for whoever only reads: nothing is made or brought up to date. `None` if nothing is there yet.
    pub(crate) async fn open_to_read(&self) -> anyhow::Result<Option<Db>> {
        let found = Db::open_to_read(self.database_url().expose_secret()).await;
        let Some(db) = found.context("FANAL_DATABASE_URL: the database cannot be opened")? else { return Ok(None) };
        match db.schema().await? {
            Schema::Current => Ok(Some(db)),
            Schema::None => Ok(None),
            Schema::Older => bail!(
                "the database's schema is older than this version, and this command only reads: run `fanal migrate` first, or start `fanal serve`"
            ),
            Schema::Unknown => bail!("this version does not know the database's schema: a newer one made it, or somebody changed it"),
        }
    }

    /// The key, but none is made: where a database is, a new key would open nothing in it.
    pub(crate) fn kept_secrets(&self) -> anyhow::Result<SecretBox> {
        let file = self.own_key_file();
        if self.has_own_key() && !file.exists() {
            bail!("there is no {}, in which the first start of this database put its key: bring it back", file.display());
        }
        self.secrets()
    }

    /// A key for where no secret is kept yet: the one there is, or one that is kept nowhere.
    pub(crate) fn secrets_of_nothing(&self) -> anyhow::Result<SecretBox> {
        if self.has_own_key() && !self.own_key_file().exists() {
            return Ok(SecretBox::new(&SecretBox::generate_key())?);
        }
        self.secrets()
    }

    /// The key from the settings, or the one in the data folder, which is made on the first start.
    pub(crate) fn secrets(&self) -> anyhow::Result<SecretBox> {
        let key = match (&self.secret_key, &self.secret_key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(file)) => read_key(file)?,
            (None, None) if self.database_url().expose_secret().starts_with("postgres") => {
                bail!("FANAL_SECRET_KEY or FANAL_SECRET_KEY_FILE is needed with PostgreSQL; make a key with `openssl rand -base64 32`")
            }
            (None, None) => self.own_key()?,
        };
        Ok(SecretBox::new(&key)?)
    }

    /// The identity provider, if there is one.
    pub(crate) fn oidc(&self) -> anyhow::Result<Option<Oidc>> {
        let Some(issuer) = self.oidc_issuer.clone() else {
            if self.oidc_only {
                bail!("FANAL_OIDC_ONLY needs FANAL_OIDC_ISSUER: nobody but owners could sign in");
            }
            return Ok(None);
        };
        let client_id = self.oidc_client_id.clone().context("FANAL_OIDC_CLIENT_ID is needed with FANAL_OIDC_ISSUER")?;
        let client_secret = match (&self.oidc_client_secret, &self.oidc_client_secret_file) {
            (Some(secret), _) => Some(secret.clone()),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("FANAL_OIDC_CLIENT_SECRET_FILE {}", file.display()))?;
                Some(SecretString::from(text.trim().to_owned()))
            }
            (None, None) => None,
        };
        let settings = console::oidc::Settings {
            issuer,
            client_id,
            client_secret,
            roles: self.oidc_roles.clone(),
            groups_claim: self.oidc_groups_claim.clone(),
            name: self.oidc_name.clone(),
            only: self.oidc_only,
        };
        Oidc::new(settings, &self.base_url()?, self.allow_private_targets).map(Some).map_err(anyhow::Error::msg)
    }

    /// What is shown of the settings: no secrets.
    pub(crate) fn shown(&self, database: &str, queue: &str) -> anyhow::Result<server::admin::Settings> {
        let proxies = self.trusted_proxies.to_string();
        let oidc = self.oidc_issuer.clone().map(|issuer| server::admin::OidcSettings {
            name: self.oidc_name.clone(),
            issuer,
            client_id: self.oidc_client_id.clone().unwrap_or_default(),
            groups_claim: self.oidc_groups_claim.clone(),
            roles: self.oidc_roles.lines(),
            only: self.oidc_only,
        });
        Ok(server::admin::Settings {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            base_url: self.base_url()?.into(),
            database: database.to_owned(),
            queue: queue.to_owned(),
            listen: self.listen.to_string(),
            mail: self.smtp_url.is_some(),
            mail_from: self.mail_from.clone(),
            allow_private_targets: self.allow_private_targets,
            allow_plain_http: !self.egress_policy().require_tls,
            trusted_proxies: proxies.split(',').filter(|proxy| !proxy.is_empty()).map(str::to_owned).collect(),
            require_factor: self.factor_roles.iter().map(ToString::to_string).collect(),
            delivery_retention_days: self.delivery_retention_days,
            audit_retention_days: self.audit_retention_days,
            audit_is_streamed: self.audit_sink.is_some(),
            token_requests_per_second: self.token_requests_per_second,
            oidc,
        })
    }

    /// Whether the key is the one in the data folder.
    pub(crate) fn has_own_key(&self) -> bool {
        self.secret_key.is_none() && self.secret_key_file.is_none() && !self.database_url().expose_secret().starts_with("postgres")
    }

    pub(crate) fn own_key_file(&self) -> PathBuf {
        self.data_dir.join("secret.key")
    }

    fn own_key(&self) -> anyhow::Result<SecretString> {
        use std::{io::Write, os::unix::fs::OpenOptionsExt};
        std::fs::create_dir_all(&self.data_dir).with_context(|| format!("FANAL_DATA_DIR {} cannot be made", self.data_dir.display()))?;
        let path = self.own_key_file();
        // Made under another name and linked into place, so that of two first starts one key wins and no half key is ever read.
        let fresh = self.data_dir.join(format!("secret.key.{}", std::process::id()));
        if !path.exists() {
            let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(SecretBox::generate_key().expose_secret().as_bytes())?;
            file.sync_all()?;
            let linked = std::fs::hard_link(&fresh, &path);
            std::fs::remove_file(&fresh)?;
            if let Err(error) = linked
                && !path.exists()
            {
                return Err(error).context("the secret key cannot be written");
            }
        }
        read_key(&path)
    }
}

fn read_key(path: &std::path::Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(path).with_context(|| format!("the secret key {} cannot be read", path.display()))?;
    Ok(SecretString::from(text.trim().to_owned()))
}
