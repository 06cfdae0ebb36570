//! Colours of the page, and whether they can be read on it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What text needs against what it stands on: WCAG 2.2, level AA.
pub const MIN_CONTRAST: f64 = 4.5;

/// A colour without transparency, written `#2b5bd7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour([u8; 3]);

/// Whether the page is light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark text on a light page.
    Light,
    /// Light text on a dark page.
    Dark,
}

/// Why a colour cannot be the accent of the page.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ColourError {
    /// Not a colour.
    #[error("is not a colour such as #2b5bd7")]
    Form,
    /// Nobody could read links in it.
    #[error("has a contrast of {contrast:.1} to the {page} page, and at least {MIN_CONTRAST} is needed to be read there; {instead} would do", page = .scheme.name())]
    Faint {
        /// Where it cannot be read.
        scheme: Scheme,
        /// What it has, cut so that it never reads as enough.
        contrast: f64,
        /// The nearest shade of it that can.
        instead: Colour,
    },
}

impl Scheme {
    /// What links stand on: the ground of the page and its cards. The same as in its stylesheet.
    #[must_use]
    pub const fn surfaces(self) -> [Colour; 2] {
        match self {
            Self::Light => [Colour([0xf6, 0xf7, 0xf9]), Colour([0xff, 0xff, 0xff])],
            Self::Dark => [Colour([0x0e, 0x14, 0x1b]), Colour([0x16, 0x1e, 0x27])],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Where shades of a colour become readable.
    const fn end(self) -> Colour {
        match self {
            Self::Light => Colour([0, 0, 0]),
            Self::Dark => Colour([0xff, 0xff, 0xff]),
        }
    }
}

impl Colour {
    /// Reads the accent of the page in one scheme.
    ///
    /// # Errors
    /// It is not a colour, or nobody could read it there.
    pub fn accent(text: &str, scheme: Scheme) -> Result<Self, ColourError> {
        let colour: Self = text.parse()?;
        let contrast = colour.least_contrast(scheme);
        if contrast < MIN_CONTRAST {
            let contrast = (contrast * 10.0).floor() / 10.0;
            return Err(ColourError::Faint { scheme, contrast, instead: colour.legible(scheme) });
        }
        Ok(colour)
    }

    /// The nearest shade of it that can be read in `scheme`: itself, if it can.
    #[must_use]
    pub fn legible(self, scheme: Scheme) -> Self {
        const STEPS: u16 = 64;
        let shade = |step| self.mixed(scheme.end(), step, STEPS);
        (0..=STEPS).map(shade).find(|shade| shade.least_contrast(scheme) >= MIN_CONTRAST).unwrap_or(scheme.end())
    }

    /// Its digits without the `#`.
    #[must_use]
    pub fn digits(self) -> String {
        hex::encode(self.0)
    }

    fn mixed(self, other: Self, part: u16, of: u16) -> Self {
        let mut mixed = self.0;
        for (own, other) in mixed.iter_mut().zip(other.0) {
            let sum = u16::from(*own) * (of - part) + u16::from(other) * part;
            *own = u8::try_from(sum / of).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }

    fn least_contrast(self, scheme: Scheme) -> f64 {
        scheme.surfaces().into_iter().map(|surface| self.contrast(surface)).fold(f64::INFINITY, f64::min)
    }

    /// From 1, the same, to 21, black on white.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance() + 0.05, other.luminance() + 0.05);
        one.max(two) / one.min(two)
    }

    /// As WCAG defines it.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.digits())
    }
}

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(ColourError::Form)?;
        let mut parts = [0; 3];
        hex::decode_to_slice(digits, &mut parts).map_err(|_| ColourError::Form)?;
        Ok(Self(parts))
    }
}

impl TryFrom<String> for Colour {
    type Error = ColourError;

    fn try_from(text: String) -> Result<Self, ColourError> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        text.parse().unwrap()
    }

    #[test]
    fn contrast_is_what_the_standard_says() {
        let is = |one: &str, two: &str, expected: f64| {
            let found = colour(one).contrast(colour(two));
            assert!((found - expected).abs() < 0.01, "{one} on {two}: {found}");
        };
        is("#000000", "#ffffff", 21.0);
        is("#ffffff", "#ffffff", 1.0);
        // The two greys that every checker shows on either side of the limit.
        is("#767676", "#ffffff", 4.54);
        is("#777777", "#ffffff", 4.48);
    }

    #[test]
    fn an_accent_that_cannot_be_read_is_refused_with_one_that_can() {
        assert_eq!(Colour::accent("#2B5BD7", Scheme::Light), Ok(colour("#2b5bd7")));
        assert_eq!(Colour::accent("#8fb0ff", Scheme::Dark), Ok(colour("#8fb0ff")));
        let refused = Colour::accent("#ffcc00", Scheme::Light).unwrap_err();
        assert!(refused.to_string().starts_with("has a contrast of 1.4 to the light page, and at least 4.5 is needed"), "{refused}");
        let ColourError::Faint { instead, .. } = refused else { panic!("{refused}") };
        assert_eq!(Colour::accent(&instead.to_string(), Scheme::Light), Ok(instead));
        assert!(Colour::accent("#2b5bd7", Scheme::Dark).is_err());
        // #767676 reads on white, and not on the grey around it.
        let edge = Colour::accent("#767676", Scheme::Light).unwrap_err().to_string();
        assert!(edge.contains("a contrast of 4.2 "), "{edge}");
    }

    #[test]
    fn only_six_digits_are_a_colour() {
        for text in ["", "#", "2b5bd7", "#2b5bd", "#2b5bd7f", "#2b5bdg", "#fff", "red", "#2b5bd7;}", "#2é5bd"] {
            assert_eq!(text.parse::<Colour>(), Err(ColourError::Form), "{text}");
        }
    }

    #[test]
    fn every_colour_has_a_shade_that_can_be_read() {
        for text in ["#000000", "#ffffff", "#ffff00", "#0000ff", "#808080", "#ff0000", "#00ff00"] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                assert!(colour(text).legible(scheme).least_contrast(scheme) >= MIN_CONTRAST, "{text} {scheme:?}");
            }
        }
        assert_eq!(colour("#2b5bd7").legible(Scheme::Light), colour("#2b5bd7"));
    }
}
