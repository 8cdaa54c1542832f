//! Every reason that a link, `DriftMonitorWired` or `DriftDetected` can carry. What to do about each stands in the table of
//! reasons beside the API.

/// Why a link holds, is broken or is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
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
    /// The rule sets a label that says whose an alert is, so that its alerts are never the workload's.
    RuleOverwritesLabel,
    /// The value of the rule's expression never follows the workload's series.
    RuleConstant,
    /// The rule looks back to a time at which the workload had no series yet.
    RuleLooksBack,
    /// More rules carry the name than are asked for, and none of those that were sees the workload.
    TooManyRules,
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
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "Holds",
            Self::Wired => "Wired",
            Self::TargetMissing => "TargetMissing",
            Self::RelabelDropped => "RelabelDropped",
            Self::TargetDown => "TargetDown",
            Self::TargetNotScraped => "TargetNotScraped",
            Self::NoSeries => "NoSeries",
            Self::Stale => "Stale",
            Self::NaN => "NaN",
            Self::Frozen => "Frozen",
            Self::RuleNotLoaded => "RuleNotLoaded",
            Self::RuleErroring => "RuleErroring",
            Self::RuleNotEvaluated => "RuleNotEvaluated",
            Self::RuleReferencesNoData => "RuleReferencesNoData",
            Self::RuleOverwritesLabel => "RuleOverwritesLabel",
            Self::RuleConstant => "RuleConstant",
            Self::RuleLooksBack => "RuleLooksBack",
            Self::TooManyRules => "TooManyRules",
            Self::RecordingRuleBroken => "RecordingRuleBroken",
            Self::RuleUnreadable => "RuleUnreadable",
            Self::PrometheusUnreachable => "PrometheusUnreachable",
            Self::PrometheusUnauthorized => "PrometheusUnauthorized",
            Self::PrometheusTimeout => "PrometheusTimeout",
            Self::PrometheusPartial => "PrometheusPartial",
            Self::PrometheusError => "PrometheusError",
            Self::PrometheusMalformed => "PrometheusMalformed",
            Self::PrometheusAnswerTooLarge => "PrometheusAnswerTooLarge",
            Self::TokenUnavailable => "TokenUnavailable",
            Self::CaBundleInvalid => "CaBundleInvalid",
            Self::AlertFiring => "AlertFiring",
            Self::NoAlert => "NoAlert",
            Self::AlertUnattributed => "AlertUnattributed",
            Self::MonitorNotWired => "MonitorNotWired",
        }
    }

    /// Whether its message quotes another program, whose words may differ each time for one and the same trouble.
    pub(super) fn quotes(word: &str) -> bool {
        word.starts_with("Prometheus")
            || word.starts_with("Token")
            || [Self::TargetDown, Self::RuleErroring, Self::RuleUnreadable]
                .iter()
                .any(|reason| reason.as_str() == word)
    }
}
