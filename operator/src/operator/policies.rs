//! The bundles that judge, by name of their PolicyBundle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use kube::ResourceExt as _;
use tokio::sync::watch;

use super::bundle::Terms;
use super::source::Sources;
use crate::judge::Active;
use crate::verdict::Failure;

/// Working bundles. Swapping one is a single write; a decision under way keeps the bundle it began with.
pub struct Policies {
    active: RwLock<BTreeMap<String, Active>>,
    settled: RwLock<BTreeMap<String, Terms>>,
    attempted: watch::Sender<BTreeSet<String>>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            active: RwLock::default(),
            settled: RwLock::default(),
            attempted: watch::Sender::new(BTreeSet::new()),
        }
    }
}

impl Policies {
    /// The bundle to judge with, or why there is none.
    pub fn get(&self, sources: &Sources, name: &str) -> Result<Active, Failure> {
        let failure = |reason: &str, message: String| Failure {
            reason: reason.to_owned(),
            message,
        };
        if sources.bundles.get("", name).is_none() {
            return Err(failure(
                "BundleNotFound",
                format!("there is no PolicyBundle {name}: create it, or correct spec.bundles of the track"),
            ));
        }
        self.active(name).ok_or_else(|| {
            failure(
                "BundleNotReady",
                format!("PolicyBundle {name} has no bundle that works yet: its Ready condition says why"),
            )
        })
    }

    /// The bundle that works under this name.
    pub fn active(&self, name: &str) -> Option<Active> {
        self.active
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// Puts a bundle to work.
    pub fn activate(&self, name: &str, active: Active) {
        self.active
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), active);
    }

    /// The terms under which the bundle at work was last found good.
    pub(crate) fn settled(&self, name: &str) -> Option<Terms> {
        self.settled
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// Remembers those terms.
    pub(crate) fn settle(&self, name: &str, terms: Terms) {
        self.settled
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), terms);
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
