//! What readers may see: the one predicate, for the page, its JSON, feeds, badges and counts, and for every notice.
//!
//! A component is visible unless it is hidden. An incident is visible if it is published and about something visible; a maintenance,
//! if it is about something visible. What its author said to be about no component in particular is visible to everyone; what is about
//! components that are all hidden or gone is visible to nobody.

use crate::{Component, ComponentId, Dependencies, Incident, IncidentUpdate, Maintenance};

impl Component {
    /// Whether readers may see it.
    #[must_use]
    pub const fn is_visible(&self) -> bool {
        !self.hidden
    }

    /// As readers may see it, without what only the team may know; `None` if they may not.
    #[must_use]
    pub fn for_readers(self) -> Option<Self> {
        self.is_visible().then_some(Self { internal_status: self.status, overridden: None, ..self })
    }
}

impl Dependencies {
    /// Where readers may know that the trouble of a component comes from. What is hidden is never named, nor said to be there.
    #[must_use]
    pub fn causes_for_readers<'c>(&self, id: ComponentId, component: impl Fn(ComponentId) -> Option<&'c Component>) -> Vec<ComponentId> {
        self.causes(id, |id| component(id).is_some_and(|component| component.is_visible() && component.status.is_fault()))
    }
}

impl Incident {
    /// Whether readers may see it, where `shown` tells which components they may see.
    #[must_use]
    pub fn is_visible(&self, shown: impl Fn(ComponentId) -> bool) -> bool {
        self.published && (!self.scoped || self.components.keys().any(|id| shown(*id)))
    }

    /// As readers may see it, without what only the team may know; `None` if they may not.
    #[must_use]
    pub fn for_readers(mut self, shown: impl Fn(ComponentId) -> bool) -> Option<Self> {
        if !self.is_visible(&shown) {
            return None;
        }
        (self.opened_by, self.publishes_at, self.vetoed) = (None, None, false);
        self.components.retain(|id, _| shown(*id));
        Some(self)
    }
}

impl IncidentUpdate {
    /// As readers of its incident may see it.
    #[must_use]
    pub fn for_readers(mut self, shown: impl Fn(ComponentId) -> bool) -> Self {
        self.components.retain(|change| shown(change.component));
        self
    }
}

impl Maintenance {
    /// As readers may see it, where `shown` tells which components they may see; `None` if they may not.
    #[must_use]
    pub fn for_readers(mut self, shown: impl Fn(ComponentId) -> bool) -> Option<Self> {
        self.components.retain(|id| shown(*id));
        self.announce_at = None;
        (!self.scoped || !self.components.is_empty()).then_some(self)
    }
}
