//! The calendar of maintenance (RFC 5545), for people who plan around it.

use domain::{Maintenance, MaintenanceStatus, Timestamp};

use super::{site::Site, view::View};

/// RFC 5545 counts octets without the line end.
const MAX_LINE_BYTES: usize = 75;

/// Every maintenance as an event whose id never changes; a cancelled one stays, marked as such, so that calendars take it out.
pub(super) fn calendar(view: &View<'_>) -> String {
    let site = view.site;
    let mut text = String::new();
    for (name, value) in [("BEGIN", "VCALENDAR"), ("VERSION", "2.0"), ("PRODID", "-//Fanal//Status page//EN"), ("CALSCALE", "GREGORIAN")] {
        line(&mut text, name, value);
    }
    line(&mut text, "X-WR-CALNAME", &escape(&format!("{} maintenance", site.name)));
    for maintenance in &view.data.maintenances {
        event(&mut text, maintenance, site);
    }
    line(&mut text, "END", "VCALENDAR");
    text
}

fn event(text: &mut String, maintenance: &Maintenance, site: &Site) {
    let status = if maintenance.status == MaintenanceStatus::Cancelled { "CANCELLED" } else { "CONFIRMED" };
    let fields = [
        ("BEGIN", "VEVENT".to_owned()),
        ("UID", format!("maintenance-{}@{}", maintenance.id, site.host)),
        ("DTSTAMP", utc(maintenance.updated_at)),
        ("LAST-MODIFIED", utc(maintenance.updated_at)),
        ("DTSTART", utc(maintenance.starts_at)),
        ("DTEND", utc(maintenance.ends_at)),
        ("SUMMARY", escape(&format!("{}: {}", site.name, maintenance.title))),
        ("DESCRIPTION", escape(&maintenance.body)),
        ("URL", format!("{}/maintenances/{}", site.base, maintenance.id)),
        ("STATUS", status.to_owned()),
        ("TRANSP", "TRANSPARENT".to_owned()),
        ("END", "VEVENT".to_owned()),
    ];
    for (name, value) in fields {
        line(text, name, &value);
    }
}

fn utc(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

/// Writes one property, folded between characters into lines that are short enough.
fn line(text: &mut String, name: &str, value: &str) {
    let mut width = 0;
    for char in name.chars().chain([':']).chain(value.chars()) {
        if width + char.len_utf8() > MAX_LINE_BYTES {
            text.push_str("\r\n ");
            width = 1;
        }
        text.push(char);
        width += char.len_utf8();
    }
    text.push_str("\r\n");
}
