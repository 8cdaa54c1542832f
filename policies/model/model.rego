# METADATA
# title: Interlock model
# description: >-
#   The gates for what serves machine-learning models, beside the baseline: where the model comes from and who vouches
#   for it, and whether anything would see it drift. Input is a dossier; decision holds what each gate says about it,
#   catalogue what the gates are.
package interlock.model

import data.interlock.model.drift_monitor_wired
import data.interlock.model.model_pinned_signed

# METADATA
# title: What the gates say
# description: Six sets of {gate, term, msg, evidence}; per gate and term the strongest counts.
# entrypoint: true
decision := {
	"deny": union({model_pinned_signed.deny, drift_monitor_wired.deny}),
	"unknown": union({model_pinned_signed.unknown, drift_monitor_wired.unknown}),
	"pending": set(),
	"warn": set(),
	"pass": union({model_pinned_signed.pass, drift_monitor_wired.pass}),
	"skip": union({model_pinned_signed.skip, drift_monitor_wired.skip}),
}

# METADATA
# title: What the gates are
# description: Gate id to title, why, severity, controls, remediation, what absent evidence means, and the phase.
# entrypoint: true
catalogue := {entry.id: object.remove(entry, ["id"]) |
	some entry in [model_pinned_signed.about, drift_monitor_wired.about]
}
