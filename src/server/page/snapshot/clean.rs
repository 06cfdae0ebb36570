//! Takes out of every text what no document can carry.

use domain::{Maintenance, PageData, PageIncident};

/// Drops control characters, which XML forbids, and overrides of the direction of text, with which a title could lie.
pub(super) fn clean(mut data: PageData) -> PageData {
    let settings = &mut data.settings;
    for text in [&mut settings.name, &mut settings.description, &mut settings.support_url] {
        clean_text(text);
    }
    let brand = &mut settings.brand;
    clean_text(&mut brand.logo_alt);
    clean_text(&mut brand.footer);
    for link in brand.header_links.iter_mut().chain(&mut brand.footer_links) {
        clean_text(&mut link.label);
        clean_text(&mut link.url);
    }
    for group in &mut data.groups {
        clean_text(&mut group.name);
    }
    for shown in &mut data.components {
        clean_text(&mut shown.component.name);
        clean_text(&mut shown.component.description);
    }
    data.incidents.iter_mut().for_each(incident);
    data.maintenances.iter_mut().for_each(maintenance);
    for shown in &mut data.metrics {
        clean_text(&mut shown.metric.name);
        clean_text(&mut shown.metric.unit);
    }
    data
}

/// The same for one incident.
pub(in crate::page) fn incident(shown: &mut PageIncident) {
    clean_text(&mut shown.incident.title);
    for update in &mut shown.updates {
        clean_text(&mut update.body);
    }
}

/// The same for one maintenance.
pub(in crate::page) fn maintenance(maintenance: &mut Maintenance) {
    clean_text(&mut maintenance.title);
    clean_text(&mut maintenance.body);
}

fn clean_text(text: &mut String) {
    text.retain(|char| match char {
        '\n' | '\t' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => false,
        other => !other.is_control(),
    });
}
