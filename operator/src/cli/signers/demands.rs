//! What signatures with keys, and with certificates of an authority of one's own, must have besides: an entry in a log, a
//! timestamp, a time at which the key counts. Without these flags, nothing.

use anyhow::bail;
use interlock_bundles::trust::{self, TrustRoot, Window};
use jiff::Timestamp;

const HEADING: &str = "Signatures with --key or --ca-roots";

/// Flags of what is demanded.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Demands {
    /// The signature must be in a transparency log of --trusted-root.
    #[arg(long, help_heading = HEADING)]
    require_transparency_log: bool,
    /// A timestamp authority of --trusted-root must have seen the signature.
    #[arg(long, visible_alias = "use-signed-timestamps", help_heading = HEADING)]
    require_timestamp: bool,
    /// From when on the keys count, as in 2026-01-31T00:00:00Z; then --trusted-root must know when it was signed.
    #[arg(long, value_name = "TIME", help_heading = HEADING, requires = "keys")]
    key_not_before: Option<Timestamp>,
    /// Until when the keys count.
    #[arg(long, value_name = "TIME", help_heading = HEADING, requires = "keys")]
    key_not_after: Option<Timestamp>,
}

impl Demands {
    /// What is demanded, if anything is. It takes a trust root, and somebody of whom it is demanded.
    pub(super) fn of(&self, root: Option<&TrustRoot>, has_signers: bool) -> anyhow::Result<Option<trust::Demands>> {
        let Some(first) = self.first() else { return Ok(None) };
        if !has_signers {
            bail!("{first} is about signatures with --key or --ca-roots, and neither is given");
        }
        let Some(root) = root else {
            bail!("{first} takes a trust root, whose logs and authorities are believed: add --trusted-root FILE");
        };
        Ok(Some(trust::Demands {
            root: root.clone(),
            logged: self.require_transparency_log,
            timestamped: self.require_timestamp,
        }))
    }

    /// The same where the time has to be known in any case, if there is a trust root to know it by.
    pub(super) fn said(&self, root: Option<TrustRoot>) -> anyhow::Result<Option<trust::Demands>> {
        let demands = self.of(root.as_ref(), true)?;
        Ok(demands.or_else(|| {
            root.map(|root| trust::Demands {
                root,
                logged: false,
                timestamped: false,
            })
        }))
    }

    /// When the keys count, if there is such a time.
    pub(super) fn window(&self) -> anyhow::Result<Window> {
        let (start, end) = (self.key_not_before, self.key_not_after);
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            bail!("the keys would never count: --key-not-before {start} is later than --key-not-after {end}");
        }
        Ok(Window { start, end })
    }

    fn first(&self) -> Option<&'static str> {
        let given = [
            ("--require-transparency-log", self.require_transparency_log),
            ("--require-timestamp", self.require_timestamp),
            ("--key-not-before", self.key_not_before.is_some()),
            ("--key-not-after", self.key_not_after.is_some()),
        ];
        given.into_iter().find_map(|(flag, is)| is.then_some(flag))
    }
}
