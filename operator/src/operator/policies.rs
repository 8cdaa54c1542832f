//! The bundles that judge, by name of their PolicyBundle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use kube::ResourceExt as _;
use tokio::sync::watch;

use super::bundle::Terms;
use super::sources::Sources;
use crate::judge::Active;
use crate::verdict::Failure;

/// Working bundles. Swapping one is a single write; a decision under way keeps the bundle it began with.
#[derive(Default)]
pub struct Policies {
    entries: RwLock<BTreeMap<String, Entry>>,
    attempted: watch::Sender<BTreeSet<String>>,
}

/// What is known of one PolicyBundle.
#[derive(Clone, Default)]
struct Entry {
    /// UID of the object; another object of the same name starts anew.
    uid: Option<String>,
    active: Option<Active>,
    /// The terms under which the bundle at work was last found good.
    terms: Option<Terms>,
}

impl Policies {
    /// The bundle to judge with, or why there is none.
    pub fn get(&self, sources: &Sources, name: &str) -> Result<Active, Failure> {
        let failure = |reason: &str, message: String| Failure {
            reason: reason.to_owned(),
            message,
        };
        let Some(object) = sources.bundles.get("", name) else {
            return Err(failure(
                "BundleNotFound",
                format!("there is no PolicyBundle {name}: create it, or correct spec.bundles of the track"),
            ));
        };
        let entry = self.entry(name);
        let active = entry.active.filter(|_| entry.uid == object.uid());
        active.ok_or_else(|| {
            failure(
                "BundleNotReady",
                format!("PolicyBundle {name} has no bundle that works yet: its Ready condition says why"),
            )
        })
    }

    /// Forgets what an earlier object of this name was given: its successor may trust others.
    pub fn begin(&self, name: &str, uid: Option<String>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(name.to_owned()).or_default();
        if entry.uid != uid {
            *entry = Entry {
                uid,
                ..Entry::default()
            };
        }
    }

    /// The bundle that works under this name.
    pub fn active(&self, name: &str) -> Option<Active> {
        self.entry(name).active
    }

    /// Puts a bundle to work.
    pub fn activate(&self, name: &str, active: Active) {
        self.change(name, |entry| entry.active = Some(active));
    }

    /// The terms under which the bundle at work was last found good.
    pub(crate) fn settled(&self, name: &str) -> Option<Terms> {
        self.entry(name).terms
    }

    /// Remembers those terms.
    pub(crate) fn settle(&self, name: &str, terms: Terms) {
        self.change(name, |entry| entry.terms = Some(terms));
    }

    fn entry(&self, name: &str) -> Entry {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(name).cloned().unwrap_or_default()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        change(entries.entry(name.to_owned()).or_default());
    }

    /// Remembers that a bundle had its first chance.
    pub fn attempted(&self, name: &str) {
        self.attempted.send_if_modified(|names| names.insert(name.to_owned()));
    }

    /// Waits until every PolicyBundle had its first chance.
    pub async fn all_attempted(&self, sources: &Sources) {
        let done = |names: &BTreeSet<String>| {
            sources
                .bundles
                .all()
                .iter()
                .all(|bundle| names.contains(&bundle.name_any()))
        };
        let _ = self.attempted.subscribe().wait_for(done).await;
    }
}
