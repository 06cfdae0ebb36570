//! The providers' fixtures: each is a seed, and gives the settings that a mutated one is read with.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use domain::Timestamp;
use integrations::{Inbound, PROVIDERS, Provider, Settings};
use serde_json::Value;

/// When everything arrives.
const RECEIVED_AT: Timestamp = Timestamp(1_772_366_400_000);

/// Who sends, and who is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Providers that send.
    Webhook,
    /// Providers that are asked, and checks of our own.
    Poll,
}

struct Fixture {
    provider: &'static Provider,
    settings: Settings,
    text: Vec<u8>,
}

static FIXTURES: LazyLock<Vec<Fixture>> = LazyLock::new(|| PROVIDERS.iter().flat_map(|provider| read_all(provider)).collect());

fn read_all(provider: &'static Provider) -> Vec<Fixture> {
    let folder = crate::root().join("integrations").join(provider.slug).join("fixtures");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        (name.ends_with(".json") || name.ends_with(".http")) && !name.ends_with("settings.json")
    });
    paths.sort();
    paths.iter().map(|path| read(provider, path)).collect()
}

fn read(provider: &'static Provider, path: &Path) -> Fixture {
    let bytes = fs::read(path).expect("a fixture");
    let text = if path.extension().is_some_and(|extension| extension == "http") {
        bytes
    } else {
        [b"content-type: application/json\n\n", bytes.as_slice()].concat()
    };
    let settings = [path.with_extension("settings.json"), path.with_file_name("settings.json")].into_iter().find(|path| path.exists());
    let settings = settings.map_or(Value::Null, |path| serde_json::from_slice(&fs::read(path).expect("settings")).expect("settings"));
    Fixture { provider, settings: Settings::new(settings), text }
}

fn of_kind(kind: Kind) -> Vec<&'static Fixture> {
    let is_poll = |fixture: &&Fixture| fixture.provider.poll.is_some();
    FIXTURES.iter().filter(|fixture| is_poll(fixture) == (kind == Kind::Poll)).collect()
}

/// One request to one provider, made of arbitrary bytes: two say which fixture gives provider and settings, the rest is read as one.
pub struct Case<'a> {
    /// Who is said to have sent it.
    pub provider: &'static Provider,
    /// The fixture's.
    pub settings: &'static Settings,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What follows the headers.
    pub body: &'a [u8],
}

impl<'a> Case<'a> {
    /// The request in `data`, if it is long enough to be one.
    #[must_use]
    pub fn read(kind: Kind, data: &'a [u8]) -> Option<Self> {
        static WEBHOOKS: LazyLock<Vec<&Fixture>> = LazyLock::new(|| of_kind(Kind::Webhook));
        static POLLS: LazyLock<Vec<&Fixture>> = LazyLock::new(|| of_kind(Kind::Poll));
        let fixtures = if kind == Kind::Webhook { &*WEBHOOKS } else { &*POLLS };
        let (&index, text) = data.split_first_chunk()?;
        let fixture = fixtures[usize::from(u16::from_le_bytes(index)) % fixtures.len()];
        let (headers, body) = split(text);
        Some(Self { provider: fixture.provider, settings: &fixture.settings, headers, body })
    }

    /// The bytes that [`Case::read`] reads as the fixtures.
    pub fn seeds(kind: Kind) -> impl Iterator<Item = Vec<u8>> {
        let numbered = (0_u16..).zip(of_kind(kind));
        numbered.map(|(index, fixture)| [index.to_le_bytes().as_slice(), &fixture.text].concat())
    }

    /// The settings of all fixtures, with their provider's slug on a line before them.
    pub fn settings_seeds() -> impl Iterator<Item = Vec<u8>> {
        FIXTURES.iter().map(|fixture| format!("{}\n{}", fixture.provider.slug, fixture.settings.json()).into_bytes())
    }

    /// The request as it arrives.
    #[must_use]
    pub fn inbound(&self) -> Inbound<'_> {
        Inbound { headers: &self.headers, path_token: None, body: self.body, received_at: RECEIVED_AT }
    }
}

/// Headers, an empty line, a body; without such a line all of it is the body.
fn split(text: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let Some(at) = text.windows(2).position(|pair| pair == b"\n\n") else { return (Vec::new(), text) };
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    (String::from_utf8_lossy(&text[..at]).lines().filter_map(header).collect(), &text[at + 2..])
}
