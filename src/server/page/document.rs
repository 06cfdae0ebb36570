//! One document in every encoding that readers ask for, ready to be written.

use std::{
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use domain::ImageKind;
use flate2::{Compression, write::GzEncoder};
use poem::{
    Body, Response,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, VARY},
    },
};
use sha2::{Digest, Sha256};

use super::{
    headers::{self, Audience},
    negotiate::{self, Encoding},
};

/// Smaller documents fit one packet anyway.
const MIN_COMPRESSED_BYTES: usize = 1024;
/// Where brotli's size stops falling fast and its time starts rising fast.
const BROTLI_QUALITY: u32 = 5;
const BROTLI_WINDOW: u32 = 22;
const ZSTD_LEVEL: i32 = 3;
/// How long a form of a document is kept ready in every new version after somebody asked for it.
const WANTED_SECS: i64 = 60;
/// Long enough to take a crowd off our hands, short enough to be news; a cache may show it for a day if we are gone.
const SHORT: &str = "public, max-age=5, stale-if-error=86400";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

pub(super) const STALE_HEADER: HeaderName = HeaderName::from_static("x-fanal-stale");

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    /// A page that other sites may frame.
    Embed,
    Json,
    Atom,
    Rss,
    Badge,
    Calendar,
    Css,
    JavaScript,
    Icon,
    /// A picture of the owner's.
    Image(ImageKind),
}

impl Kind {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Html | Self::Embed => "text/html; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::Badge | Self::Icon => "image/svg+xml; charset=utf-8",
            Self::Calendar => "text/calendar; charset=utf-8",
            Self::Image(kind) => kind.media_type(),
            Self::Css => "text/css; charset=utf-8",
            Self::JavaScript => "text/javascript; charset=utf-8",
        }
    }

    const fn audience(self) -> Audience {
        match self {
            Self::Html | Self::Css | Self::JavaScript | Self::Icon => Audience::SameSite,
            Self::Embed => Audience::Frames,
            // Mail programs show logos too.
            Self::Json | Self::Atom | Self::Rss | Self::Badge | Self::Calendar | Self::Image(_) => Audience::Everyone,
        }
    }

    /// Whether its bytes cannot be made fewer by us.
    const fn is_compressed(self) -> bool {
        matches!(self, Self::Image(ImageKind::Png | ImageKind::Jpeg | ImageKind::Webp))
    }

    const fn cache_control(self) -> &'static str {
        match self {
            Self::Css | Self::JavaScript | Self::Icon | Self::Image(_) => IMMUTABLE,
            _ => SHORT,
        }
    }
}

/// A rendered document: bytes and headers in every encoding that makes it smaller, each made when first asked for.
#[derive(Debug)]
pub(super) struct Document {
    kind: Kind,
    body: Bytes,
    digest: String,
    https: bool,
    stale: bool,
    /// In the order of [`Encoding::ALL`].
    slots: [Slot; 4],
}

/// One encoding of a document.
#[derive(Debug, Default)]
struct Slot {
    /// `None` if it would not be smaller.
    made: OnceLock<Option<Variant>>,
    /// When somebody last wanted it, in seconds since 1970; 0 if nobody has.
    asked_at: AtomicI64,
}

#[derive(Debug)]
struct Variant {
    body: Bytes,
    etag: HeaderValue,
    headers: HeaderMap,
    not_modified: HeaderMap,
}

impl Document {
    /// Takes what was rendered. `stale` marks it as made without a database.
    pub(super) fn new(kind: Kind, body: impl Into<Bytes>, https: bool, stale: bool) -> Self {
        let body = body.into();
        let digest = hex(&Sha256::digest(&body)[..12]);
        Self { kind, body, digest, https, stale, slots: Default::default() }
    }

    /// What it takes in memory, roughly, once it is there in every encoding: text shrinks to a third or less.
    pub(super) fn n_bytes(&self) -> usize {
        self.body.len() * 2
    }

    /// The document as it was rendered.
    pub(super) fn plain(&self) -> &Bytes {
        &self.body
    }

    /// Answers a request with these headers: the best encoding, or 304 if the client has it.
    pub(super) fn respond(&self, request: &HeaderMap) -> Response {
        let weights = negotiate::accepted(request);
        let mut order = [0, 1, 2, 3];
        // Stable, so that among equals the first of `Encoding::ALL` comes first.
        order.sort_by_key(|index| std::cmp::Reverse(weights[*index]));
        let acceptable = order.into_iter().filter(|index| weights[*index] > 0);
        // A client that refuses every form we have still gets plain bytes: an answer beats a 406 when things are on fire.
        let mut acceptable = acceptable.chain([3]);
        let Some((slot, variant)) = acceptable.find_map(|index| Some((&self.slots[index], self.variant(index)?))) else {
            return Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).finish();
        };
        slot.asked_at.store(now_secs(), Ordering::Relaxed);
        let held = negotiate::holds(request, variant.etag.as_bytes());
        let mut response = Response::default();
        if held {
            response.set_status(StatusCode::NOT_MODIFIED);
            *response.headers_mut() = variant.not_modified.clone();
        } else {
            *response.headers_mut() = variant.headers.clone();
            response.set_body(Body::from(variant.body.clone()));
        }
        response
    }

    /// Whether somebody has asked for it in the last minute.
    pub(super) fn is_wanted(&self) -> bool {
        let since = now_secs() - WANTED_SECS;
        self.slots.iter().any(|slot| slot.asked_at.load(Ordering::Relaxed) > since)
    }

    /// Makes what readers wanted of the version before, so that nobody waits for it.
    pub(super) fn prepare_like(&self, before: &Self) {
        let since = now_secs() - WANTED_SECS;
        for (index, slot) in before.slots.iter().enumerate() {
            let asked_at = slot.asked_at.load(Ordering::Relaxed);
            if asked_at > since {
                self.variant(index);
                self.slots[index].asked_at.fetch_max(asked_at, Ordering::Relaxed);
            }
        }
    }

    fn variant(&self, index: usize) -> Option<&Variant> {
        let encoding = Encoding::ALL[index];
        let make = || {
            if encoding != Encoding::Identity && self.kind.is_compressed() {
                return None;
            }
            let bytes = encode(encoding, &self.body)?;
            Some(Variant::new(self.kind, encoding, bytes, &self.digest, self.https, self.stale))
        };
        self.slots[index].made.get_or_init(make).as_ref()
    }
}

fn now_secs() -> i64 {
    let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

impl Variant {
    fn new(kind: Kind, encoding: Encoding, body: Bytes, digest: &str, https: bool, stale: bool) -> Self {
        let etag = HeaderValue::try_from(format!("\"{digest}-{}\"", encoding.name())).unwrap_or(HeaderValue::from_static("\"\""));
        let mut not_modified = HeaderMap::new();
        not_modified.insert(ETAG, etag.clone());
        not_modified.insert(CACHE_CONTROL, HeaderValue::from_static(kind.cache_control()));
        not_modified.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if stale {
            not_modified.insert(STALE_HEADER, HeaderValue::from_static("true"));
        }
        let mut headers = not_modified.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.media_type()));
        if encoding != Encoding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        if matches!(kind, Kind::Image(_)) {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(headers::IMAGE_POLICY));
        }
        headers::add(&mut headers, kind.audience(), https);
        if kind.audience() == Audience::Everyone {
            // Scripts of other sites may poll conditionally and see the mark.
            let exposed = HeaderValue::from_static("ETag, X-Fanal-Stale");
            headers.insert(poem::http::header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            not_modified.insert(poem::http::header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Self { body, etag, headers, not_modified }
    }
}

/// The bytes in `encoding`, or nothing where that would not be worth its header.
fn encode(encoding: Encoding, body: &Bytes) -> Option<Bytes> {
    if encoding == Encoding::Identity {
        return Some(body.clone());
    }
    if body.len() <= MIN_COMPRESSED_BYTES {
        return None;
    }
    let compressed = match encoding {
        Encoding::Brotli => brotli(body),
        Encoding::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).ok(),
        Encoding::Gzip => gzip(body),
        Encoding::Identity => None,
    }?;
    (compressed.len() < body.len()).then(|| Bytes::from(compressed))
}

fn brotli(body: &[u8]) -> Option<Vec<u8>> {
    let mut writer = brotli::CompressorWriter::new(Vec::with_capacity(body.len() / 4), 1 << 16, BROTLI_QUALITY, BROTLI_WINDOW);
    writer.write_all(body).ok()?;
    Some(writer.into_inner())
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut writer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    writer.write_all(body).ok()?;
    writer.finish().ok()
}

/// `bytes` in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
