//! What does not count, whoever signed it.

use interlock_bundles::digest::Digest;
use interlock_bundles::trust::{self, LogEntry};

const HEADING: &str = "What is revoked";

/// Flags of what is revoked.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Revoked {
    /// A key by its fingerprint, sha256:HEX of its DER (openssl pkey -pubin -in cosign.pub -outform DER | sha256sum).
    /// Repeatable.
    #[arg(long = "revoked-key", id = "revoked-key", value_name = "DIGEST", help_heading = HEADING)]
    keys: Vec<Digest>,
    /// An artifact, what a signature signs (the check `envelope` names it) or a signature as it is, by its digest,
    /// sha256:HEX. Repeatable.
    #[arg(long = "revoked-digest", id = "revoked-digest", value_name = "DIGEST", help_heading = HEADING)]
    digests: Vec<Digest>,
    /// An entry of a transparency log: the log's ID, 64 hexadecimal digits, a colon and the index. Repeatable.
    #[arg(long = "revoked-log-entry", id = "revoked-log-entry", value_name = "LOG:INDEX", help_heading = HEADING)]
    entries: Vec<LogEntry>,
}

impl Revoked {
    /// As the trust policy has it.
    pub(super) fn read(&self) -> trust::Revoked {
        trust::Revoked {
            keys: self.keys.iter().copied().collect(),
            digests: self.digests.iter().copied().collect(),
            entries: self.entries.iter().copied().collect(),
        }
    }
}
