//! How the page looks by its owner's wish: logo, icon, colours, links. Everything is named by what it holds, and so cached for ever.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use domain::{Brand, Colour, Image, ImageMark, PageLink, PageSettings};
use sha2::{Digest, Sha384};
use url::Url;

use super::{
    assets,
    document::{Document, Kind},
};

/// How high the logo is on the page, in pixels.
const LOGO_HEIGHT: usize = 32;

/// What templates show of the brand.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) accent: Option<Sheet>,
    pub(crate) logo: Option<Logo>,
    pub(crate) icon: Icon,
    pub(crate) header_links: Vec<PageLink>,
    pub(crate) footer_links: Vec<PageLink>,
    pub(crate) footer: String,
}

/// The stylesheet of the owner's colours.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) path: String,
    pub(crate) integrity: String,
}

/// The logo at the head.
#[derive(Debug)]
pub(crate) struct Logo {
    pub(crate) path: String,
    /// Never empty: it stands in place of the name.
    pub(crate) alt: String,
    pub(crate) height: usize,
    /// So that nothing moves when it arrives; a drawing does not say.
    pub(crate) width: Option<usize>,
}

/// What browsers show beside the title.
#[derive(Debug)]
pub(crate) struct Icon {
    pub(crate) path: String,
    pub(crate) media_type: &'static str,
}

impl Look {
    /// `path` says where an image is found.
    pub(super) fn new(settings: &PageSettings, path: impl Fn(&ImageMark) -> String) -> Self {
        let brand = &settings.brand;
        let alt = if brand.logo_alt.trim().is_empty() { &settings.name } else { &brand.logo_alt };
        let logo = |mark: &ImageMark| Logo { path: path(mark), alt: alt.clone(), height: LOGO_HEIGHT, width: mark.width_at(LOGO_HEIGHT) };
        let own = || Icon { path: assets::links().icon.path.clone(), media_type: "image/svg+xml" };
        let links = |links: &[PageLink]| links.iter().filter_map(harmless).collect();
        Self {
            accent: brand.accents().map(|accents| Sheet::of(&accents)),
            logo: brand.logo.as_ref().map(logo),
            icon: brand.icon.as_ref().map_or_else(own, |mark| Icon { path: path(mark), media_type: mark.kind.media_type() }),
            header_links: links(&brand.header_links),
            footer_links: links(&brand.footer_links),
            footer: brand.footer.clone(),
        }
    }
}

impl Sheet {
    fn of(accents: &(Colour, Colour)) -> Self {
        let integrity = format!("sha384-{}", STANDARD.encode(Sha384::digest(rules(accents))));
        Self { path: format!("/assets/{}", file_name(accents)), integrity }
    }
}

/// The same link, if it leads somewhere harmless.
fn harmless(link: &PageLink) -> Option<PageLink> {
    Some(PageLink { label: link.label.clone(), url: harmless_url(&link.url)? })
}

/// The address, if it leads to a web page or a mailbox.
pub(super) fn harmless_url(text: &str) -> Option<String> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "mailto")).map(String::from)
}

fn file_name((light, dark): &(Colour, Colour)) -> String {
    format!("accent.{}.{}.css", light.digits(), dark.digits())
}

/// Follows the page's own tokens and is as specific as they are.
fn rules((light, dark): &(Colour, Colour)) -> String {
    format!(
        ":root{{--accent:{light}}}\n\
         @media (prefers-color-scheme:dark){{:root:not([data-theme=\"light\"]){{--accent:{dark}}}}}\n\
         :root[data-theme=\"dark\"]{{--accent:{dark}}}\n"
    )
}

fn sheet(accents: &(Colour, Colour)) -> Document {
    Document::new(Kind::Css, rules(accents), false, false)
}

/// The stylesheet of this name: its colours stand in it, so that what another process or version of the page refers to is found too.
pub(super) fn sheet_named(name: &str) -> Option<Document> {
    let (light, dark) = name.strip_prefix("accent.")?.strip_suffix(".css")?.split_once('.')?;
    let accents = (format!("#{light}").parse().ok()?, format!("#{dark}").parse().ok()?);
    (file_name(&accents) == name).then(|| sheet(&accents))
}

/// The files that a brand refers to, by the last part of their paths.
pub(super) fn files(brand: &Brand, images: &[Image]) -> HashMap<String, Document> {
    let accent = brand.accents().map(|accents| (file_name(&accents), sheet(&accents)));
    let image = |mark: &ImageMark| {
        let image = images.iter().find(|image| image.digest() == mark.digest)?;
        let content = Bytes::from_owner(image.content().clone());
        Some((mark.file_name(), Document::new(Kind::Image(mark.kind), content, false, false)))
    };
    accent.into_iter().chain(brand.images().filter_map(image)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stylesheet_is_found_by_its_colours_and_by_nothing_else() {
        assert!(sheet_named("accent.2b5bd7.8fb0ff.css").is_some());
        for name in [
            "accent.2b5bd7.css",
            "accent.2b5bd7.8fb0f.css",
            "accent.2B5BD7.8fb0ff.css",
            "accent.2b5bd7.8fb0ff.css.css",
            "accent.2b5bd7.8fb0ff}.css",
            "accent.2b5bd7.8fb0ff",
        ] {
            assert!(sheet_named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_surfaces_that_colours_are_held_to_are_those_of_the_page() {
        let tokens = include_str!("../assets/page/tokens.css");
        let (light, dark) = tokens.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let has = |text: &str, [ground, surface]: [Colour; 2]| {
            let short = surface.to_string().replace("#ffffff", "#fff");
            text.contains(&format!("--ground: {ground};")) && text.contains(&format!("--surface: {short};"))
        };
        assert!(has(light, domain::Scheme::Light.surfaces()) && has(dark, domain::Scheme::Dark.surfaces()));
        assert!(light.contains(&format!("--accent: {};", domain::DEFAULT_ACCENT)));
        assert!(dark.contains(&format!("--accent: {};", domain::DEFAULT_ACCENT_DARK)));
    }
}
