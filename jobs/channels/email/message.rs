//! How a mail looks: plain text and HTML side by side, saying the same.

use std::{fmt::Write as _, sync::LazyLock};

use domain::{
    Claimed, ComponentId, ImageKind, IncidentStatus, MaintenanceStatus, Notice, NoticeAbout, NoticeKind, PageSettings, Status, Timestamp,
};
use jiff::tz::TimeZone;

use crate::channels::{Letter, links::Links, one_line};

/// The longest subject. Longer ones are cut.
const MAX_SUBJECT_CHARS: usize = 200;
/// The longest text of an update that is mailed. The page has the rest.
const MAX_BODY_CHARS: usize = 40_000;
/// How high the logo is, in pixels.
const LOGO_HEIGHT: usize = 32;
/// The most components listed.
const MAX_COMPONENTS: usize = 100;

/// One mail before it is put in headers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// A notice in a reader's words.
pub(super) fn notice(claimed: &Claimed, links: &Links) -> Content {
    let Claimed { notice, page, recipient, thread, .. } = claimed;
    let facts = Facts::of(notice, &zone(&page.time_zone), links);
    // Some mail programs thread by subject, so it stays the same for a whole incident; where it stands is the first line.
    let reply = if thread.is_some_and(|first| first != claimed.notification) { "Re: " } else { "" };
    let subject = one_line(&format!("{reply}[{}] {}", page.name, facts.title), MAX_SUBJECT_CHARS);
    let (manage, unsubscribe) = (links.subscription(recipient), links.unsubscribe(recipient));
    let because = if notice.kind.is_for_owner() { "you own the page of" } else { "you subscribed to" };
    let footer = format!("You get this because {because} {}.", one_line(&page.name, MAX_SUBJECT_CHARS));

    let mut text = format!("{}\n{}\n", facts.headline, facts.when);
    if !facts.body.is_empty() {
        let _ = write!(text, "\n{}\n", facts.body);
    }
    for (index, line) in facts.lines.iter().enumerate() {
        let _ = writeln!(text, "{}- {line}", if index == 0 { "\n" } else { "" });
    }
    let verdicts = verdicts(claimed, links);
    for (say, link) in &verdicts {
        let _ = write!(text, "\n{say}: {link}\n");
    }
    let _ = write!(text, "\n{}\n\n-- \n{footer}\nChange what you get: {manage}\nUnsubscribe: {unsubscribe}\n", facts.link);

    let buttons: String = (verdicts.iter())
        .map(|(say, link)| {
            format!("<p style=\"margin:16px 0\"><a href=\"{}\" style=\"color:#0b57d0\">{}</a></p>", escape(link), escape(say))
        })
        .collect();
    let list: String = facts.lines.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
    let list = if list.is_empty() { list } else { format!("<ul style=\"padding-left:20px\">{list}</ul>") };
    let main = format!(
        "<h1 style=\"font-size:20px;line-height:1.3;margin:0 0 4px\">{}</h1><p style=\"margin:0 0 16px;color:#57606a\">{}</p>{}{list}{buttons}\
         <p style=\"margin:16px 0\"><a href=\"{link}\" style=\"color:#0b57d0\">{link}</a></p>",
        escape(&facts.headline),
        escape(&facts.when),
        markdown(&facts.body),
        link = escape(&facts.link),
    );
    let foot = format!(
        "{} <a href=\"{}\" style=\"color:#57606a\">Change what you get</a> or <a href=\"{}\" style=\"color:#57606a\">unsubscribe</a>.",
        escape(&footer),
        escape(&manage),
        escape(&unsubscribe),
    );
    Content { html: frame(&subject, &head(page, links), &main, &foot), subject, text }
}

/// Asks whether the owner of the address wants what somebody has asked for.
pub(super) fn confirmation(page_name: &str, link: &str) -> Content {
    let page = one_line(page_name, MAX_SUBJECT_CHARS / 2);
    let ask = format!("Somebody, most likely you, asked for updates of {page} to be sent to this address. To get them, confirm here:");
    let foot = "If it was not you, ignore this mail: nothing will be sent.";
    letter(&Letter { page_name, subject: "Confirm your subscription", text: &ask, link, foot })
}

/// A few words and a link.
pub(super) fn letter(letter: &Letter<'_>) -> Content {
    let Letter { page_name, subject, text: ask, link, foot } = letter;
    let subject = one_line(&format!("[{}] {subject}", one_line(page_name, MAX_SUBJECT_CHARS / 2)), MAX_SUBJECT_CHARS);
    let text = format!("{ask}\n\n{link}\n\n{foot}\n");
    let main = format!(
        "<p style=\"margin:0 0 16px\">{}</p><p style=\"margin:16px 0\"><a href=\"{link}\" style=\"color:#0b57d0\">{link}</a></p>",
        escape(ask),
        link = escape(link),
    );
    Content { html: frame(&subject, "", &main, &escape(foot)), subject, text }
}

/// What the owner can say to a publication, and where. The links ask again: mail scanners follow them.
fn verdicts(claimed: &Claimed, links: &Links) -> Vec<(&'static str, String)> {
    let (NoticeAbout::Publication { incident, .. }, Some(decision)) = (&claimed.notice.about, &claimed.decision) else { return Vec::new() };
    vec![
        ("Veto: keep it a draft", links.verdict(incident.id, "veto", &decision.veto)),
        ("Publish it now", links.verdict(incident.id, "publish", &decision.publish)),
    ]
}

/// What both forms of a mail say.
struct Facts {
    title: String,
    headline: String,
    when: String,
    body: String,
    lines: Vec<String>,
    link: String,
}

impl Facts {
    fn of(notice: &Notice, zone: &TimeZone, links: &Links) -> Self {
        let when = time(notice.at, zone);
        match &notice.about {
            NoticeAbout::Incident { incident, update } => {
                let changes = update.components.iter().map(|change| (change.component, Some(change.from), change.to));
                let affected = incident.components.iter().map(|(&id, &status)| (id, None, status));
                let lines = if update.components.is_empty() { named(affected, notice) } else { named(changes, notice) };
                let title = one_line(&incident.title, MAX_SUBJECT_CHARS);
                let headline = format!("{}: {title}", incident_words(notice.kind, update.status));
                Self { headline, when, body: cut(&update.body), lines, link: links.incident(incident.id), title }
            }
            NoticeAbout::Maintenance { maintenance } => {
                let title = one_line(&maintenance.title, MAX_SUBJECT_CHARS);
                let headline = format!("{}: {title}", maintenance_words(maintenance.status));
                let when = format!("{} to {}", time(maintenance.starts_at, zone), time(maintenance.ends_at, zone));
                let visible = maintenance.components.iter().filter_map(|id| notice.component(*id));
                let lines = visible.map(|component| one_line(&component.name, MAX_SUBJECT_CHARS)).take(MAX_COMPONENTS).collect();
                Self { headline, when, body: cut(&maintenance.body), lines, link: links.maintenance(maintenance.id), title }
            }
            NoticeAbout::Component { change } => {
                let lines = named([(change.component, Some(change.from), change.to)].into_iter(), notice);
                let title = lines.first().cloned().unwrap_or_else(|| "A component has changed".to_owned());
                Self {
                    headline: title.clone(),
                    when,
                    body: String::new(),
                    lines: Vec::new(),
                    link: links.component(change.component),
                    title,
                }
            }
            NoticeAbout::Publication { incident, body } => {
                let title = one_line(&incident.title, MAX_SUBJECT_CHARS);
                let due = incident.publishes_at.map_or_else(String::new, |at| time(at, zone));
                let lines = named(incident.components.iter().map(|(&id, &status)| (id, None, status)), notice);
                let headline = format!("Publishes itself at {due}: {title}");
                let title = format!("To be published: {title}");
                Self {
                    headline,
                    when: format!("Since {}", time(incident.started_at, zone)),
                    body: cut(body),
                    lines,
                    link: links.page(),
                    title,
                }
            }
            NoticeAbout::Endpoint { address, reason } => {
                let title = "A webhook was switched off".to_owned();
                let lines = vec![one_line(address, 2 * MAX_SUBJECT_CHARS), one_line(reason, 2 * MAX_SUBJECT_CHARS)];
                Self { headline: title.clone(), when, body: String::new(), lines, link: links.page(), title }
            }
        }
    }
}

/// `API: operational → major outage`, for every component that readers may see.
fn named(changes: impl Iterator<Item = (ComponentId, Option<Status>, Status)>, notice: &Notice) -> Vec<String> {
    let line = |(id, from, to): (ComponentId, Option<Status>, Status)| {
        let component = notice.component(id)?;
        let name = one_line(&component.name, MAX_SUBJECT_CHARS);
        Some(match from {
            Some(from) => format!("{name}: {} → {}", from.words(), to.words()),
            None => format!("{name}: {}", to.words()),
        })
    };
    changes.filter_map(line).take(MAX_COMPONENTS).collect()
}

const fn incident_words(kind: NoticeKind, status: IncidentStatus) -> &'static str {
    match (kind, status) {
        (NoticeKind::IncidentReopened, _) => "Reopened",
        (_, IncidentStatus::Investigating) => "Investigating",
        (_, IncidentStatus::Identified) => "Identified",
        (_, IncidentStatus::Monitoring) => "Monitoring",
        (_, IncidentStatus::Resolved) => "Resolved",
        (_, IncidentStatus::Postmortem) => "Postmortem",
    }
}

const fn maintenance_words(status: MaintenanceStatus) -> &'static str {
    match status {
        MaintenanceStatus::Scheduled => "Maintenance scheduled",
        MaintenanceStatus::InProgress => "Maintenance in progress",
        MaintenanceStatus::Completed => "Maintenance completed",
        MaintenanceStatus::Cancelled => "Maintenance cancelled",
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_jiff().to_zoned_datetime(zone.clone()).strftime("%-d %B %Y, %H:%M %Z").to_string()
}

/// The text as written, with line ends a mail can have and no other control characters.
fn cut(text: &str) -> String {
    let end = text.char_indices().nth(MAX_BODY_CHARS).map_or(text.len(), |(end, _)| end);
    let mut kept: String =
        text[..end].trim().replace("\r\n", "\n").chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect();
    if end < text.len() {
        kept.push('…');
    }
    kept
}

/// Markdown as HTML that holds no scripts, styles, forms, or pictures that tell who reads.
fn markdown(text: &str) -> String {
    static SANITIZER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
        let mut builder = ammonia::Builder::default();
        builder.rm_tags(["img", "map", "area"]).url_schemes(["http", "https", "mailto"].into());
        builder
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(text, pulldown_cmark::Options::ENABLE_STRIKETHROUGH));
    SANITIZER.clean(&html).to_string()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The logo, or else the name. Mail programs show no drawings, and of pictures from afar only the words until the reader asks for them; its
/// address is the same for all readers and tells nobody who reads.
fn head(page: &PageSettings, links: &Links) -> String {
    let name = one_line(&page.name, MAX_SUBJECT_CHARS);
    let shown = match &page.brand.logo {
        Some(logo) if logo.kind != ImageKind::Svg => {
            let alt = if page.brand.logo_alt.is_empty() { &name } else { &page.brand.logo_alt };
            let width = logo.width_at(LOGO_HEIGHT).map_or_else(String::new, |width| format!(" width=\"{width}\""));
            let (source, alt) = (escape(&links.image(logo)), escape(alt));
            format!("<img src=\"{source}\" alt=\"{alt}\" height=\"{LOGO_HEIGHT}\"{width} style=\"border:0\">")
        }
        _ => escape(&name),
    };
    format!(
        "<p style=\"margin:0 0 20px;font-weight:600\"><a href=\"{}\" style=\"color:inherit;text-decoration:none\">{shown}</a></p>",
        escape(&links.page())
    )
}

/// Mail programs know inline styles and little else.
fn frame(title: &str, head: &str, main: &str, foot: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title></head>\n\
         <body style=\"margin:0;padding:24px 16px;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif\">\n\
         <div style=\"max-width:600px;margin:0 auto\">\n{head}{main}\n\
         <p style=\"margin:24px 0 0;padding-top:12px;border-top:1px solid #d0d7de;font-size:13px;color:#57606a\">{foot}</p>\n</div></body></html>\n",
        escape(title),
    )
}
