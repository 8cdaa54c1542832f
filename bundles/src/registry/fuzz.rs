//! Ways in for the fuzz targets, which are a crate of their own (`bundles/fuzz`). Part of no other build.

use super::legacy::LegacySignature;
use super::pulled::bundle_layer;
use super::referrers;

/// How many signatures a page of referrers may lead to, if it is one.
pub fn index(page: &[u8]) -> Option<usize> {
    referrers::count_candidates(page)
}

/// Whether a manifest is that of a policy bundle.
pub fn manifest(manifest: &[u8]) -> bool {
    bundle_layer(manifest).is_ok()
}

/// Whether bytes are a signature of the old format.
pub fn legacy(bytes: &[u8]) -> bool {
    LegacySignature::read(bytes).is_ok()
}
