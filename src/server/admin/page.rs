//! `/page`: how the page presents itself.

use std::collections::BTreeMap;

use domain::{
    Brand, Colour, Image, ImageMark, MAX_ADDRESS_CHARS, MAX_DESCRIPTION_CHARS, MAX_FOOTER_LINKS, MAX_HEADER_LINKS, MAX_LABEL_CHARS,
    MAX_NAME_CHARS, PageLink, PageSettings, Scheme,
};
use jiff::tz::TimeZone;
use poem::web::Data;
use poem_openapi::{Object, OpenApi, types::ParseFromJSON};
use serde_json::{Value, json};
use storage::{page, rows};

use super::{
    Admin,
    body::Body,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{IfMatch, Shown, View},
};

/// Where links of the page may lead.
const LINK_SCHEMES: [&str; 3] = ["https", "http", "mailto"];

pub(super) struct PageApi(pub(super) Admin);

/// How the page presents itself.
#[derive(Object)]
#[oai(rename = "Page")]
struct PageView {
    /// The company or product.
    name: String,
    /// A sentence below the name; may be empty.
    description: String,
    /// The zone in which days begin and times are shown, such as `Europe/Paris`.
    time_zone: String,
    /// Where readers find help: http, https or mailto; may be empty.
    support_url: String,
    /// The colour of links and buttons on a light page, such as `#2b5bd7`; may be empty.
    accent: String,
    /// The same on a dark page. Empty, it is a shade of the other that can be read there.
    accent_dark: String,
    /// Where the logo is found, which stands in place of the name; may be empty.
    logo: String,
    /// What the logo says, for those who do not see it; empty, it says the name.
    logo_alt: String,
    /// Where the icon is found that browsers show beside the title; may be empty.
    icon: String,
    /// Beside the name.
    header_links: Vec<LinkView>,
    /// At the foot.
    footer_links: Vec<LinkView>,
    /// A sentence at the foot; may be empty.
    footer: String,
}

/// A link of the owner's on the page.
#[derive(Object)]
#[oai(rename = "PageLink")]
struct LinkView {
    /// Its words.
    label: String,
    /// Where it leads: http, https or mailto.
    url: String,
}

impl View for PageView {}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct PagePatch {
    name: Option<String>,
    description: Option<String>,
    time_zone: Option<String>,
    support_url: Option<String>,
    /// Read on a light page: at least 4.5 to 1. Empty for the usual one.
    accent: Option<String>,
    /// Read on a dark page: at least 4.5 to 1. Empty for a shade of the other.
    accent_dark: Option<String>,
    /// The image itself, as `data:image/png;base64,…`: PNG, JPEG, WebP or SVG of at most 131072 bytes, and at most 2000 pixels wide and high;
    /// where it is found, to keep it; empty for none.
    logo: Option<String>,
    logo_alt: Option<String>,
    /// As the logo.
    icon: Option<String>,
    /// At most 4.
    header_links: Option<Vec<LinkView>>,
    /// At most 10.
    footer_links: Option<Vec<LinkView>>,
    footer: Option<String>,
}

/// Images by their hashes.
pub(crate) type Images = BTreeMap<String, Image>;

#[OpenApi]
impl PageApi {
    /// Shows the page's settings.
    #[oai(path = "/page", method = "get")]
    async fn show(&self) -> Result<Shown<PageView>, Problem> {
        Ok(Shown(view(rows::page_settings(&mut self.0.db.read().await?).await?)))
    }

    /// Changes the page's settings.
    #[oai(path = "/page", method = "patch")]
    async fn update(&self, Data(caller): Data<&Caller>, if_match: IfMatch, body: Body<PagePatch>) -> Result<Shown<PageView>, Problem> {
        let mut entry = self.0.begin().await?;
        let mut settings = rows::page_settings(&mut entry.tx).await?;
        if_match.check(&view(settings.clone()))?;
        let mut draft = Draft::of(&mut settings);
        draft.apply(body.0);
        let Draft { fields, images, wanted, .. } = draft;
        fields.done()?;
        caller.trail.wanted(&wanted);
        page::set_settings(&mut entry.tx, &settings, &images).await?;
        self.0.finish(entry, caller).await?;
        Ok(Shown(view(settings)))
    }
}

/// The page as it would be after such a patch, with the images that are new, as far as the patch fits; and what does not, by field.
pub(crate) fn drafted(mut settings: PageSettings, patch: Value) -> (PageSettings, Images, Vec<(String, String)>) {
    let mut draft = Draft::of(&mut settings);
    match PagePatch::parse_from_json(Some(patch)) {
        Ok(patch) => draft.apply(patch),
        Err(error) => draft.fields.refuse("", error.into_message()),
    }
    let Draft { fields, images, .. } = draft;
    (settings, images, fields.into_words())
}

/// Settings on their way to become others.
struct Draft<'a> {
    settings: &'a mut PageSettings,
    fields: Fields,
    /// Those that were given.
    images: Images,
    /// What is asked for, with the paths of images in their places: fit for the audit log.
    wanted: Value,
}

impl<'a> Draft<'a> {
    fn of(settings: &'a mut PageSettings) -> Self {
        Self { settings, fields: Fields::default(), images: Images::new(), wanted: json!({}) }
    }

    /// Changes what fits, and notes what does not.
    fn apply(&mut self, patch: PagePatch) {
        self.set("name", patch.name, |fields, name| fields.name("name", &name), |settings| &mut settings.name);
        self.line("description", patch.description, MAX_DESCRIPTION_CHARS, |settings| &mut settings.description);
        self.set("time_zone", patch.time_zone, time_zone, |settings| &mut settings.time_zone);
        self.set("support_url", patch.support_url, support_url, |settings| &mut settings.support_url);
        self.accent("accent", patch.accent, Scheme::Light, |brand| &mut brand.accent);
        self.accent("accent_dark", patch.accent_dark, Scheme::Dark, |brand| &mut brand.accent_dark);
        self.image("logo", patch.logo, |brand| &mut brand.logo);
        self.line("logo_alt", patch.logo_alt, MAX_NAME_CHARS, |settings| &mut settings.brand.logo_alt);
        self.image("icon", patch.icon, |brand| &mut brand.icon);
        self.links("header_links", patch.header_links, MAX_HEADER_LINKS, |brand| &mut brand.header_links);
        self.links("footer_links", patch.footer_links, MAX_FOOTER_LINKS, |brand| &mut brand.footer_links);
        self.line("footer", patch.footer, MAX_DESCRIPTION_CHARS, |settings| &mut settings.brand.footer);
        if self.settings.brand.logo.is_none() {
            // It would say something of nothing, and come back with the next logo.
            self.settings.brand.logo_alt.clear();
        }
    }

    /// Sets one part, if it is given and fits.
    fn set<G, T>(
        &mut self,
        field: &str,
        given: Option<G>,
        check: impl FnOnce(&mut Fields, G) -> T,
        part: impl FnOnce(&mut PageSettings) -> &mut T,
    ) where
        T: serde::Serialize,
    {
        let Some(given) = given else { return };
        let n_before = self.fields.n_refused();
        let checked = check(&mut self.fields, given);
        if self.fields.n_refused() == n_before {
            self.wanted[field] = json!(checked);
            *part(self.settings) = checked;
        }
    }

    fn line(&mut self, field: &str, given: Option<String>, max_chars: usize, part: impl FnOnce(&mut PageSettings) -> &mut String) {
        self.set(field, given, |fields, text| fields.line(field, &text, max_chars, false), part);
    }

    fn accent(&mut self, field: &str, given: Option<String>, scheme: Scheme, part: impl FnOnce(&mut Brand) -> &mut Option<Colour>) {
        let check = |fields: &mut Fields, text: String| {
            let text = text.trim();
            if text.is_empty() {
                return None;
            }
            Colour::accent(text, scheme).map_err(|error| fields.refuse(field, error.to_string())).ok()
        };
        self.set(field, given, check, |settings| part(&mut settings.brand));
    }

    fn image(&mut self, field: &str, given: Option<String>, part: impl FnOnce(&mut Brand) -> &mut Option<ImageMark>) {
        let Some(text) = given else { return };
        let place = part(&mut self.settings.brand);
        let kept = place.as_ref().filter(|mark| mark.path() == text.trim()).cloned();
        let mark = match text.trim() {
            "" => None,
            _ if kept.is_some() => kept,
            text => match Image::from_data_url(text) {
                Ok(image) => {
                    let mark = image.mark();
                    self.images.insert(mark.digest.clone(), image);
                    Some(mark)
                }
                Err(error) => return self.fields.refuse(field, error.to_string()),
            },
        };
        self.wanted[field] = json!(path(mark.as_ref()));
        *place = mark;
    }

    fn links(&mut self, field: &str, given: Option<Vec<LinkView>>, max: usize, part: impl FnOnce(&mut Brand) -> &mut Vec<PageLink>) {
        let check = |fields: &mut Fields, links: Vec<LinkView>| {
            fields.at_most(field, &links, max);
            let link = |(i, link): (usize, LinkView)| PageLink {
                label: fields.line(&format!("{field}[{i}].label"), &link.label, MAX_LABEL_CHARS, true),
                url: fields.url(&format!("{field}[{i}].url"), &link.url, &LINK_SCHEMES, MAX_ADDRESS_CHARS),
            };
            links.into_iter().enumerate().map(link).collect()
        };
        self.set(field, given, check, |settings| part(&mut settings.brand));
    }
}

fn time_zone(fields: &mut Fields, zone: String) -> String {
    if TimeZone::get(&zone).is_err() {
        fields.refuse("time_zone", format!("`{}` is not a time zone such as Europe/Paris", super::schema::quoted(&zone)));
    }
    zone
}

fn support_url(fields: &mut Fields, url: String) -> String {
    if url.trim().is_empty() { String::new() } else { fields.url("support_url", &url, &LINK_SCHEMES, MAX_ADDRESS_CHARS) }
}

fn path(mark: Option<&ImageMark>) -> String {
    mark.map(ImageMark::path).unwrap_or_default()
}

fn view(settings: PageSettings) -> PageView {
    let PageSettings { name, time_zone, description, support_url, brand } = settings;
    let colour = |colour: Option<Colour>| colour.map(String::from).unwrap_or_default();
    let links = |links: Vec<PageLink>| links.into_iter().map(|PageLink { label, url }| LinkView { label, url }).collect();
    PageView {
        name,
        description,
        time_zone,
        support_url,
        accent: colour(brand.accent),
        accent_dark: colour(brand.accent_dark),
        logo: path(brand.logo.as_ref()),
        logo_alt: brand.logo_alt,
        icon: path(brand.icon.as_ref()),
        header_links: links(brand.header_links),
        footer_links: links(brand.footer_links),
        footer: brand.footer,
    }
}
