//! Microsoft Azure: the feed of its public status page.
//!
//! <https://azure.status.microsoft/status>

use domain::{Signal, Span, Timestamp};
use roxmltree::Node;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError, document,
    poll::{self, Poll, Request},
    provider::Polled,
    set,
    thing::{self, UNSURE, Word},
    xml,
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "azure_status",
    name: "Azure status",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(120), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    let Own {} = poll::settings(settings.json())?;
    let request = Request::get("https://azure.status.microsoft/en-us/status/feed/");
    Ok(request.header("accept", "application/rss+xml, application/xml, text/xml"))
}

/// An item is an incident; without any, all is well. A page of another kind has no channel.
fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let text =
        document::text(inbound.body).ok_or_else(|| ParseError::Xml("it is not UTF-8, nor UTF-16 with a byte order mark".to_owned()))?;
    let feed = xml::read(&text)?;
    let root = feed.root_element();
    if root.tag_name().name() != "rss" {
        return Err(ParseError::Xml(format!("it is `{}` and no feed", crate::error::quoted(root.tag_name().name()))));
    }
    let channel = root.children().find(|child| child.has_tag_name("channel")).ok_or_else(|| ParseError::missing("rss.channel"))?;
    let items = channel.children().filter(|child| child.has_tag_name("item")).enumerate();
    items.map(|(index, item)| signal(index, item, inbound.received_at)).collect()
}

/// The feed has no word for how bad it is.
fn signal(index: usize, item: Node<'_, '_>, at: Timestamp) -> Result<Signal, ParseError> {
    let [guid, link, title] = ["guid", "link", "title"].map(|name| xml::text(item, name));
    let id = [&guid, &link, &title].into_iter().find(|id| !id.is_empty());
    let id = id.ok_or_else(|| ParseError::missing(format!("rss.channel.item[{index}].guid")))?;
    let word = Word { path: String::new(), text: "listed", means: Some(UNSURE) };
    let mut signal = thing::signal("incident", id, &title, &word, at);
    signal.summary.clone_from(&title);
    let categories = item.children().filter(|child| child.has_tag_name("category")).filter_map(|child| child.text()).map(str::trim);
    let categories = categories.collect::<Vec<_>>().join(", ");
    set::labels(&mut signal, [("categories", &*categories), ("published", &xml::text(item, "pubDate"))]);
    set::link(&mut signal, &link);
    Ok(signal)
}
