//! The page's own section: its name, its zone, and how it looks.

use std::collections::BTreeMap;

use domain::{
    Brand, Colour, Image, ImageMark, MAX_DESCRIPTION_CHARS, MAX_FOOTER_LINKS, MAX_HEADER_LINKS, MAX_LABEL_CHARS, MAX_NAME_CHARS, PageLink,
    PageSettings, Scheme,
};
use jiff::tz::TimeZone;

use crate::{
    check,
    problem::{did_you_mean, quoted},
    reader::{At, Map},
};

const LINK_SCHEMES: [&str; 3] = ["https", "http", "mailto"];

/// The images of a file, by their hashes.
pub(crate) type Images = BTreeMap<String, Image>;

pub(crate) fn read(at: &At<'_>) -> (PageSettings, Images) {
    let mut images = Images::new();
    let map = at.map(&[
        "name",
        "time_zone",
        "description",
        "support_url",
        "accent",
        "accent_dark",
        "logo",
        "icon",
        "header_links",
        "footer_links",
        "footer",
    ]);
    let settings = PageSettings {
        name: map.name("name", MAX_NAME_CHARS),
        time_zone: map.get("time_zone").map_or_else(|| "UTC".to_owned(), |at| time_zone(&at)),
        description: map.text_or_empty("description", MAX_DESCRIPTION_CHARS, true),
        support_url: map.get_some("support_url").map_or_else(String::new, |at| check::url(&at, &LINK_SCHEMES)),
        brand: brand(&map, &mut images),
    };
    (settings, images)
}

fn time_zone(at: &At<'_>) -> String {
    let Some(name) = at.raw_text() else { return String::new() };
    if TimeZone::get(name).is_err() {
        let known: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let hint = did_you_mean(name, known.iter().map(String::as_str));
        at.refuse(format!("there is no time zone {}{hint}", quoted(name)));
    }
    name.to_owned()
}

fn brand(map: &Map<'_>, images: &mut Images) -> Brand {
    let logo = map.get_some("logo").map(|at| at.map(&["image", "alt"]));
    Brand {
        accent: map.get_some("accent").and_then(|at| accent(&at, Scheme::Light)),
        accent_dark: map.get_some("accent_dark").and_then(|at| accent(&at, Scheme::Dark)),
        logo: logo.as_ref().and_then(|logo| image(&logo.need("image")?, images)),
        logo_alt: logo.as_ref().map_or_else(String::new, |logo| logo.text_or_empty("alt", MAX_NAME_CHARS, false)),
        icon: map.get_some("icon").and_then(|at| image(&at, images)),
        header_links: links(map, "header_links", MAX_HEADER_LINKS),
        footer_links: links(map, "footer_links", MAX_FOOTER_LINKS),
        footer: map.text_or_empty("footer", MAX_DESCRIPTION_CHARS, false),
    }
}

fn accent(at: &At<'_>, scheme: Scheme) -> Option<Colour> {
    let text = at.raw_text()?;
    Colour::accent(text, scheme).map_err(|error| at.refuse(format!("{} {error}", quoted(text)))).ok()
}

fn image(at: &At<'_>, images: &mut Images) -> Option<ImageMark> {
    let image = Image::from_data_url(at.raw_text()?.trim()).map_err(|error| at.refuse(error.to_string())).ok()?;
    let mark = image.mark();
    images.insert(mark.digest.clone(), image);
    Some(mark)
}

fn links(map: &Map<'_>, key: &str, max: usize) -> Vec<PageLink> {
    let link = |at: At<'_>| {
        let map = at.map(&["label", "url"]);
        PageLink { label: map.name("label", MAX_LABEL_CHARS), url: map.need("url").map_or_else(String::new, |at| needed_url(&at)) }
    };
    map.list(key, max).into_iter().map(link).collect()
}

fn needed_url(at: &At<'_>) -> String {
    let url = check::url(at, &LINK_SCHEMES);
    if url.is_empty() && !at.node.is_null() {
        at.refuse("must not be empty");
    }
    url
}
