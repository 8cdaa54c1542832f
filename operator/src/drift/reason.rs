//! Every reason that a link, `DriftMonitorWired` or `DriftDetected` can carry, with one sentence each.

macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $name:ident),+ $(,)?) => {
        /// Why a link holds, is broken or is not known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $meaning])+ $name),+ }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii()),+ }
            }
        }
    };
}

reasons! {
    /// The link holds.
    Holds,
    /// Every link from the scrape target to the alert holds.
    Wired,
    /// Prometheus has no target with the labels that the track names.
    TargetMissing,
    /// Prometheus found the target and its relabelling dropped it.
    RelabelDropped,
    /// No target with these labels answers when it is scraped.
    TargetDown,
    /// The target is new and was not scraped yet.
    TargetNotScraped,
    /// The metric has no series with the workload's labels.
    NoSeries,
    /// The newest sample is older than the track allows.
    Stale,
    /// A series' value is not a finite number, so that no comparison with it can ever fire.
    NaN,
    /// The value has not changed for as long as the track allows.
    Frozen,
    /// Prometheus has loaded no alerting rule of this name and these labels.
    RuleNotLoaded,
    /// The rule fails when it is evaluated, or is not evaluated any more.
    RuleErroring,
    /// The rule is new and was not evaluated yet.
    RuleNotEvaluated,
    /// A selector inside the rule's expression returns nothing for the workload: the alert is dead.
    RuleReferencesNoData,
    /// A recording rule between the workload's series and the alert fails or records nothing for the workload.
    RecordingRuleBroken,
    /// The rule's expression could not be read.
    RuleUnreadable,
    /// Prometheus cannot be reached.
    PrometheusUnreachable,
    /// Prometheus does not accept the token, or asks for one.
    PrometheusUnauthorized,
    /// Prometheus did not answer completely in time.
    PrometheusTimeout,
    /// Prometheus answered with warnings: a part of its data was not there.
    PrometheusPartial,
    /// Prometheus answered with an error.
    PrometheusError,
    /// The URL leads to something that does not answer as Prometheus does.
    PrometheusMalformed,
    /// The answer was larger than the operator reads.
    PrometheusAnswerTooLarge,
    /// The Secret with the token, or its key, is not there or cannot be read.
    TokenUnavailable,
    /// The certificate authorities that the track gives cannot be read.
    CaBundleInvalid,
    /// The alert fires for the workload.
    AlertFiring,
    /// The alert does not fire for the workload.
    NoAlert,
    /// The alert fires without the labels that would say for whom.
    AlertUnattributed,
    /// Whether drift is seen is not known while the chain does not hold.
    MonitorNotWired,
}

impl Reason {
    /// Whether its message quotes another program, whose words may differ each time for one and the same trouble.
    pub(super) fn quotes(word: &str) -> bool {
        word.starts_with("Prometheus")
            || word.starts_with("Token")
            || [Self::TargetDown, Self::RuleErroring, Self::RuleUnreadable]
                .iter()
                .any(|reason| reason.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_sentence() {
        for reason in Reason::ALL {
            let meaning = reason.meaning();
            assert!(
                meaning.ends_with('.') && !meaning.starts_with(' '),
                "{reason:?}: {meaning}"
            );
        }
    }
}
