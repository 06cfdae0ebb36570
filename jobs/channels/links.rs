//! Where notices point to.

use domain::{ComponentId, ImageMark, IncidentId, MaintenanceId, Recipient};
use url::Url;

/// Makes the absolute addresses of our own pages.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// Without a slash at the end.
    base: String,
}

impl Links {
    pub(crate) fn new(base: &Url) -> Self {
        Self { base: base.as_str().trim_end_matches('/').to_owned() }
    }

    pub(crate) fn page(&self) -> String {
        format!("{}/", self.base)
    }

    pub(crate) fn incident(&self, id: IncidentId) -> String {
        format!("{}/incidents/{id}", self.base)
    }

    pub(crate) fn component(&self, id: ComponentId) -> String {
        format!("{}/components/{id}", self.base)
    }

    pub(crate) fn maintenance(&self, id: MaintenanceId) -> String {
        format!("{}/maintenances/{id}", self.base)
    }

    pub(crate) fn image(&self, image: &ImageMark) -> String {
        format!("{}{}", self.base, image.path())
    }

    /// Where the owner gives one verdict on a publication.
    pub(crate) fn verdict(&self, id: IncidentId, verdict: &str, token: &str) -> String {
        format!("{}/publications/{id}/{verdict}/{token}", self.base)
    }

    pub(crate) fn subscription(&self, recipient: &Recipient) -> String {
        format!("{}/subscriptions/{}", self.base, recipient.manage_token)
    }

    pub(crate) fn unsubscribe(&self, recipient: &Recipient) -> String {
        format!("{}/unsubscribe", self.subscription(recipient))
    }
}
