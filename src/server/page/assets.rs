//! Styles, scripts and the icon: in the binary, named by their content, cached for ever.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256, Sha384};

use super::document::{Document, Kind, hex};

/// Each in several files to read, served as one.
const CSS: &str = concat!(
    include_str!("../assets/page/tokens.css"),
    include_str!("../assets/page/base.css"),
    include_str!("../assets/page/events.css"),
    include_str!("../assets/page/systems.css"),
    include_str!("../assets/page/chart.css"),
    include_str!("../assets/page/more.css"),
    include_str!("../assets/page/media.css"),
);
const JS: &str = concat!(
    include_str!("../assets/page/times.js"),
    include_str!("../assets/page/switches.js"),
    include_str!("../assets/page/bars.js"),
    include_str!("../assets/page/live.js"),
);

const CONSOLE_CSS: &str = concat!(
    include_str!("../assets/page/tokens.css"),
    include_str!("../assets/console/console.css"),
    include_str!("../assets/console/shell.css"),
    include_str!("../assets/page/chart.css"),
    include_str!("../assets/console/hub.css"),
);
const CONSOLE_JS: &str = concat!(
    include_str!("../assets/console/console.js"),
    include_str!("../assets/console/shell.js"),
    include_str!("../assets/console/finder.js"),
    include_str!("../assets/console/order.js"),
    include_str!("../assets/console/chosen.js"),
    include_str!("../assets/console/picker.js"),
    include_str!("../assets/console/hub.js"),
);

const EMBED_CSS: &str = concat!(include_str!("../assets/page/tokens.css"), include_str!("../assets/embed.css"));

/// One file that pages load.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Where it is served: `/assets/page.<hash>.css`.
    pub(crate) path: String,
    /// For the `integrity` attribute.
    pub(crate) integrity: String,
    pub(super) document: Document,
}

/// Every asset of the public page and the console.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) css: Asset,
    /// Sets the chosen colours before anything is drawn.
    pub(crate) theme: Asset,
    pub(crate) js: Asset,
    pub(crate) icon: Asset,
    pub(crate) embed_css: Asset,
    pub(crate) embed_js: Asset,
    pub(crate) console_css: Asset,
    pub(crate) console_js: Asset,
}

/// Every asset of the public page and the console.
pub(crate) fn links() -> &'static Links {
    static LINKS: LazyLock<Links> = LazyLock::new(|| Links {
        css: asset("page", "css", Kind::Css, CSS),
        theme: asset("theme", "js", Kind::JavaScript, include_str!("../assets/theme.js")),
        js: asset("page", "js", Kind::JavaScript, JS),
        embed_css: asset("embed", "css", Kind::Css, EMBED_CSS),
        embed_js: asset("embed", "js", Kind::JavaScript, include_str!("../assets/embed.js")),
        console_css: asset("console", "css", Kind::Css, CONSOLE_CSS),
        console_js: asset("console", "js", Kind::JavaScript, CONSOLE_JS),
        icon: asset("icon", "svg", Kind::Icon, include_str!("../assets/icon.svg")),
    });
    &LINKS
}

/// The asset served under `/assets/<name>`.
pub(super) fn find(name: &str) -> Option<&'static Document> {
    let Links { css, theme, js, icon, embed_css, embed_js, console_css, console_js } = links();
    [css, theme, js, icon, embed_css, embed_js, console_css, console_js]
        .into_iter()
        .find(|asset| asset.path.strip_prefix("/assets/") == Some(name))
        .map(|asset| &asset.document)
}

fn asset(stem: &str, extension: &str, kind: Kind, text: &str) -> Asset {
    let hash = hex(&Sha256::digest(text)[..6]);
    Asset {
        path: format!("/assets/{stem}.{hash}.{extension}"),
        integrity: format!("sha384-{}", STANDARD.encode(Sha384::digest(text))),
        document: Document::new(kind, text.to_owned(), false, false),
    }
}
