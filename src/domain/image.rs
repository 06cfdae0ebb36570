//! Images of the page: what may be one, and how it is named.

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use roxmltree::{Document, Node, ParsingOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::status::{UnknownName, named};

/// The largest image, in bytes. Every reader loads it.
pub const MAX_IMAGE_BYTES: usize = 128 << 10;
/// The longest side of an image, in pixels: a few bytes can stand for more than a browser has memory.
pub const MAX_IMAGE_PIXELS: usize = 2_000;
/// The most elements and texts of a drawing.
const MAX_SVG_NODES: u32 = 20_000;
const SVG: &str = "http://www.w3.org/2000/svg";
const PNG_BEGIN: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The form of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageKind {
    /// Pixels, exactly.
    Png,
    /// Pixels, nearly.
    Jpeg,
    /// Pixels, either way.
    Webp,
    /// A drawing.
    Svg,
}

impl ImageKind {
    /// What servers call it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Svg => "image/svg+xml",
        }
    }
}

named!(ImageKind {
    Png = "png",
    Jpeg = "jpeg",
    Webp = "webp",
    Svg = "svg",
});

/// Why something cannot be an image of the page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Not `data:image/…;base64,…`.
    #[error("is not an image such as `data:image/png;base64,…`")]
    DataUrl,
    /// Too large.
    #[error("has {0} bytes, at most {MAX_IMAGE_BYTES} are allowed")]
    Bytes(usize),
    /// Too many pixels.
    #[error("has {0} times {1} pixels, at most {MAX_IMAGE_PIXELS} times {MAX_IMAGE_PIXELS} are allowed")]
    Pixels(usize, usize),
    /// None of the forms.
    #[error("is neither PNG, JPEG, WebP nor SVG, or is damaged")]
    Kind,
    /// A drawing that is not well formed.
    #[error("is not a well-formed SVG: {0}")]
    Xml(String),
    /// A drawing with something in it that could act, or fetch something.
    #[error("contains {0}, which an image of the page must not have; export it as a plain SVG or as PNG")]
    Active(String),
}

/// An image that has been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    kind: ImageKind,
    digest: String,
    content: Arc<[u8]>,
}

/// What settings say of an image: enough to point at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMark {
    /// What it holds, as a hash: half of SHA-256 in hexadecimal.
    pub digest: String,
    /// Its form.
    pub kind: ImageKind,
    /// Width and height in pixels; a drawing has none.
    #[serde(default)]
    pub pixels: Option<(usize, usize)>,
}

impl ImageMark {
    /// Where it is served: what it holds never changes.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/assets/{}", self.file_name())
    }

    /// The last part of its path.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("image.{}.{}", self.digest, self.kind.as_str())
    }

    /// How wide it is when it is `height` high.
    #[must_use]
    pub fn width_at(&self, height: usize) -> Option<usize> {
        self.pixels.map(|(wide, high)| (wide * height).div_ceil(high.max(1)))
    }
}

impl Image {
    /// Takes what somebody gave, if it is an image that readers may be shown.
    ///
    /// # Errors
    /// It is too large, of no known form, or a drawing with more in it than a picture.
    pub fn read(content: &[u8]) -> Result<Self, ImageError> {
        if content.len() > MAX_IMAGE_BYTES {
            return Err(ImageError::Bytes(content.len()));
        }
        let kind = kind(content).ok_or(ImageError::Kind)?;
        if kind == ImageKind::Svg {
            check_svg(content)?;
        } else {
            let (wide, high) = pixels(content).ok_or(ImageError::Kind)?;
            if wide > MAX_IMAGE_PIXELS || high > MAX_IMAGE_PIXELS {
                return Err(ImageError::Pixels(wide, high));
            }
        }
        Ok(Self { kind, digest: hex::encode(&Sha256::digest(content)[..16]), content: content.into() })
    }

    /// The same from `data:image/png;base64,…`. What it is called there is not believed.
    ///
    /// # Errors
    /// As [`Image::read`], or it is not written so.
    pub fn from_data_url(text: &str) -> Result<Self, ImageError> {
        let (_, encoded) = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")).ok_or(ImageError::DataUrl)?;
        let longest = MAX_IMAGE_BYTES.div_ceil(3) * 4;
        if encoded.len() > longest {
            return Err(ImageError::Bytes(encoded.len() / 4 * 3));
        }
        Self::read(&BASE64_STANDARD.decode(encoded).map_err(|_| ImageError::DataUrl)?)
    }

    /// What was read once and has been stored since.
    #[must_use]
    pub fn stored(kind: ImageKind, digest: String, content: &[u8]) -> Self {
        Self { kind, digest, content: content.into() }
    }

    /// All of it in one text.
    #[must_use]
    pub fn to_data_url(&self) -> String {
        format!("data:{};base64,{}", self.kind.media_type(), BASE64_STANDARD.encode(&self.content))
    }

    /// What settings say of it.
    #[must_use]
    pub fn mark(&self) -> ImageMark {
        let pixels = if self.kind == ImageKind::Svg { None } else { pixels(&self.content) };
        ImageMark { digest: self.digest.clone(), kind: self.kind, pixels }
    }

    /// Its form.
    #[must_use]
    pub const fn kind(&self) -> ImageKind {
        self.kind
    }

    /// The hash by which it is known.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its bytes.
    #[must_use]
    pub const fn content(&self) -> &Arc<[u8]> {
        &self.content
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}.{}, {} bytes)", self.digest, self.kind.as_str(), self.content.len())
    }
}

impl Serialize for Image {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_data_url())
    }
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_data_url(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What the first bytes say. What senders say is not believed.
fn kind(content: &[u8]) -> Option<ImageKind> {
    let is_webp = content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WEBP");
    match content {
        _ if content.starts_with(PNG_BEGIN) => Some(ImageKind::Png),
        _ if content.starts_with(b"\xff\xd8\xff") => Some(ImageKind::Jpeg),
        _ if is_webp => Some(ImageKind::Webp),
        _ => std::str::from_utf8(content).ok().filter(|text| text.contains("<svg")).map(|_| ImageKind::Svg),
    }
}

fn pixels(content: &[u8]) -> Option<(usize, usize)> {
    let size = imagesize::blob_size(content).ok()?;
    (size.width > 0 && size.height > 0).then_some((size.width, size.height))
}

/// A drawing in an `<img>` cannot act, and is served so that it cannot elsewhere either; what would try to has no place in it all the same.
fn check_svg(content: &[u8]) -> Result<(), ImageError> {
    let text = std::str::from_utf8(content).map_err(|_| ImageError::Kind)?;
    // Without a DTD: entities can stand for gigabytes.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_SVG_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| ImageError::Xml(error.to_string()))?;
    if !document.root_element().has_tag_name((SVG, "svg")) {
        return Err(ImageError::Xml(format!("its root is not `svg` of {SVG}")));
    }
    document.descendants().try_for_each(check_node)
}

fn check_node(node: Node<'_, '_>) -> Result<(), ImageError> {
    const ACTIVE: [&str; 9] = ["script", "foreignobject", "iframe", "object", "embed", "audio", "video", "handler", "listener"];
    if let Some(instruction) = node.pi() {
        return Err(ImageError::Active(format!("the instruction `{}`", short(instruction.target))));
    }
    let name = node.tag_name().name();
    if ACTIVE.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(ImageError::Active(format!("the element `{}`", short(name))));
    }
    for attribute in node.attributes() {
        let name = attribute.name().to_ascii_lowercase();
        let value = attribute.value().trim();
        let is_inside = value.starts_with('#') || value.starts_with("data:image/");
        if name.starts_with("on") || (matches!(name.as_str(), "href" | "src") && !is_inside) {
            return Err(ImageError::Active(format!("the attribute `{}` of `{}`", short(attribute.name()), short(node.tag_name().name()))));
        }
    }
    Ok(())
}

/// Cut to what fits into an error.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a PNG of this size: as much as is looked at.
    fn png(wide: u32, high: u32) -> Vec<u8> {
        let mut bytes = [PNG_BEGIN, b"\0\0\0\rIHDR"].concat();
        bytes.extend([wide.to_be_bytes(), high.to_be_bytes()].concat());
        bytes.extend(b"\x08\x06\0\0\0");
        bytes
    }

    fn svg(inner: &str) -> String {
        format!("<svg xmlns=\"{SVG}\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" viewBox=\"0 0 8 8\">{inner}</svg>")
    }

    #[test]
    fn an_image_is_what_its_bytes_say() {
        let read = Image::read(&png(120, 40)).unwrap();
        assert_eq!((read.kind(), read.mark().pixels, read.mark().width_at(32)), (ImageKind::Png, Some((120, 40)), Some(96)));
        assert_eq!(read.mark().path(), format!("/assets/image.{}.png", read.digest()));
        let url = read.to_data_url();
        assert_eq!(Image::from_data_url(&url), Ok(read.clone()));
        // Called otherwise, it stays what it is.
        assert_eq!(Image::from_data_url(&url.replace("image/png", "image/svg+xml")), Ok(read));
        assert_eq!(Image::read(svg("<path d=\"M0 0h8\"/>").as_bytes()).map(|image| image.kind()), Ok(ImageKind::Svg));
        for wrong in ["", "text", "<html><body>", "GIF89a\u{1}\u{0}\u{1}\u{0}"] {
            assert_eq!(Image::read(wrong.as_bytes()), Err(ImageError::Kind), "{wrong}");
        }
        for wrong in ["", "https://example.com/a.png", "image/png;base64,AAAA", "data:image/png,abc", "data:image/png;base64,?"] {
            assert_eq!(Image::from_data_url(wrong), Err(ImageError::DataUrl), "{wrong}");
        }
    }

    #[test]
    fn images_have_limits() {
        let padded = |n: usize| [png(1, 1), vec![0; n]].concat();
        let room = MAX_IMAGE_BYTES - png(1, 1).len();
        assert!(Image::read(&padded(room)).is_ok());
        assert_eq!(Image::read(&padded(room + 1)), Err(ImageError::Bytes(MAX_IMAGE_BYTES + 1)));
        let full = Image::read(&padded(room)).unwrap().to_data_url();
        assert!(Image::from_data_url(&full).is_ok());
        assert!(matches!(Image::from_data_url(&format!("{full}AAAA")), Err(ImageError::Bytes(_))));
        assert!(Image::read(&png(2_000, 2_000)).is_ok());
        assert_eq!(Image::read(&png(2_001, 1)), Err(ImageError::Pixels(2_001, 1)));
        assert_eq!(Image::read(&png(0, 1)), Err(ImageError::Kind));
    }

    #[test]
    fn a_drawing_that_could_act_or_fetch_is_refused_by_name() {
        for (inner, named) in [
            ("<script>alert(1)</script>", "element `script`"),
            ("<x:script xmlns:x=\"http://www.w3.org/1999/xhtml\"/>", "element `script`"),
            ("<foreignObject/>", "element `foreignObject`"),
            ("<g ONload=\"alert(1)\"/>", "attribute `ONload` of `g`"),
            ("<a href=\"javascript:alert(1)\"/>", "attribute `href` of `a`"),
            ("<use xlink:href=\"https://evil.example/x.svg#a\"/>", "attribute `href` of `use`"),
            ("<image href=\" //evil.example/x.png\"/>", "attribute `href` of `image`"),
            ("<?xml-stylesheet href=\"https://evil.example/x.css\"?>", "instruction `xml-stylesheet`"),
        ] {
            let refused = Image::read(svg(inner).as_bytes()).unwrap_err();
            assert!(matches!(refused, ImageError::Active(_)) && refused.to_string().contains(named), "{inner}: {refused}");
        }
        assert!(Image::read(svg("<use href=\"#a\"/><image href=\"data:image/png;base64,AA==\"/>").as_bytes()).is_ok());
        let bomb = format!("<!DOCTYPE svg [<!ENTITY a \"aaaa\">]>{}", svg("&a;"));
        assert!(matches!(Image::read(bomb.as_bytes()), Err(ImageError::Xml(_))));
        assert!(matches!(Image::read(b"<html><svg/></html>"), Err(ImageError::Xml(_))));
        assert!(matches!(Image::read(svg("<g>").as_bytes()), Err(ImageError::Xml(_))));
        let many = |n: usize| svg(&"<g/>".repeat(n));
        assert!(Image::read(many(MAX_SVG_NODES as usize - 10).as_bytes()).is_ok());
        assert!(matches!(Image::read(many(MAX_SVG_NODES as usize).as_bytes()), Err(ImageError::Xml(_))));
    }
}
