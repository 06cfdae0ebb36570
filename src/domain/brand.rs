//! How the page looks: its logo, its icon, its colours, and what it links to.

use serde::{Deserialize, Serialize};

use crate::{Colour, ImageMark, Scheme};

/// The most links beside the name: what readers come for must stay in sight.
pub const MAX_HEADER_LINKS: usize = 4;
/// The most links at the foot.
pub const MAX_FOOTER_LINKS: usize = 10;
/// The longest words of a link, in characters.
pub const MAX_LABEL_CHARS: usize = 60;
/// The colour of links and buttons on a light page that has none of its own.
pub const DEFAULT_ACCENT: &str = "#2b5bd7";
/// The same on a dark page.
pub const DEFAULT_ACCENT_DARK: &str = "#8fb0ff";

/// How the page looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brand {
    /// What links and buttons are coloured in on a light page.
    pub accent: Option<Colour>,
    /// The same on a dark page. Without it, it is a shade of the other that can be read there.
    pub accent_dark: Option<Colour>,
    /// Stands in place of the name.
    pub logo: Option<ImageMark>,
    /// What the logo says, for those who do not see it. Empty, it says the name.
    pub logo_alt: String,
    /// What browsers show beside the title.
    pub icon: Option<ImageMark>,
    /// Beside the name.
    pub header_links: Vec<PageLink>,
    /// At the foot.
    pub footer_links: Vec<PageLink>,
    /// A sentence at the foot; may be empty.
    pub footer: String,
}

/// A link of the owner's on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLink {
    /// Its words.
    pub label: String,
    /// Where it leads: http, https or mailto.
    pub url: String,
}

impl Brand {
    /// The accents on a light and on a dark page, if the owner has chosen any.
    #[must_use]
    pub fn accents(&self) -> Option<(Colour, Colour)> {
        if self.accent.is_none() && self.accent_dark.is_none() {
            return None;
        }
        let light = self.accent.or_else(|| DEFAULT_ACCENT.parse().ok())?;
        let shade = || self.accent.map(|accent| accent.legible(Scheme::Dark));
        let dark = self.accent_dark.or_else(shade).or_else(|| DEFAULT_ACCENT_DARK.parse().ok())?;
        Some((light, dark))
    }

    /// The images that it shows.
    pub fn images(&self) -> impl Iterator<Item = &ImageMark> {
        self.logo.iter().chain(&self.icon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_accent_gives_the_other() {
        let colour = |text: &str| text.parse::<Colour>().ok();
        let of = |accent, accent_dark| Brand { accent, accent_dark, ..Brand::default() }.accents();
        assert_eq!(of(None, None), None);
        let (light, dark) = of(colour("#7a1f5c"), None).unwrap();
        assert_eq!(Some(light), colour("#7a1f5c"));
        assert_eq!(Colour::accent(&dark.to_string(), Scheme::Dark), Ok(dark));
        assert_eq!(of(None, colour("#ffaa00")), colour(DEFAULT_ACCENT).zip(colour("#ffaa00")));
        assert_eq!(of(colour("#7a1f5c"), colour("#ffaa00")), colour("#7a1f5c").zip(colour("#ffaa00")));
        assert!(Colour::accent(DEFAULT_ACCENT, Scheme::Light).is_ok() && Colour::accent(DEFAULT_ACCENT_DARK, Scheme::Dark).is_ok());
    }
}
