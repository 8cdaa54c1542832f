//! The forms in which signatures come. A signer says which of theirs count, so that nobody can pass off an older form, which
//! says less, for the one that is agreed on.

use std::collections::BTreeSet;

use serde::Serialize;

/// A form in which a signature comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureFormat {
    /// A Sigstore bundle of version 0.3: what cosign 3 and model-signing 1 write.
    Bundle,
    /// A Sigstore bundle of version 0.1 or 0.2.
    OldBundle,
    /// What cosign wrote before version 3, under the tag `sha256-….sig`: a signature over a text that names the digest
    /// ("simple signing"). It counts with a key alone, and what others say of it is not looked into.
    Legacy,
}

impl SignatureFormat {
    /// All, the newest first.
    pub const ALL: [Self; 3] = [Self::Bundle, Self::OldBundle, Self::Legacy];

    /// Those that count where a signer says nothing of it.
    pub fn usual() -> BTreeSet<Self> {
        BTreeSet::from([Self::Bundle, Self::OldBundle])
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::OldBundle => "old-bundle",
            Self::Legacy => "legacy",
        }
    }
}

impl std::fmt::Display for SignatureFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// In words, for people.
pub(super) fn listed(formats: &BTreeSet<SignatureFormat>) -> String {
    let names: Vec<_> = formats.iter().map(|format| format.as_str()).collect();
    if names.is_empty() {
        "no format".to_owned()
    } else {
        names.join(" and ")
    }
}
