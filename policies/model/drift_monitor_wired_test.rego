package interlock.model.drift_monitor_wired_test

import data.interlock.lib.sample_test as sample
import data.interlock.model
import data.interlock.model.drift_monitor_wired as gate

monitored(monitor) := object.union(sample.inference, {"driftMonitor": monitor})

wired(links) := monitored({"state": "complete", "links": links})

named(name, holds) := object.union(sample.link, {"name": name, "holds": holds, "reason": $"{name}Reason", "message": name})

outcomes(dossier) := {kind |
	some kind, findings in decision
	some finding in findings
	finding.gate == "M-14"
} if {
	decision := model.decision with input as dossier
}

test_every_link_holds if {
	dossier := wired([named("A", "True"), named("B", "True")])
	outcomes(dossier) == {"pass"}
	sample.by_term(gate.pass) == {"": "every link to the alert holds: A, B"} with input as dossier
}

test_the_first_broken_link_is_denied if {
	dossier := wired([named("A", "True"), named("B", "Unknown"), named("C", "False"), named("D", "False")])
	outcomes(dossier) == {"deny"}
	sample.by_term(gate.deny) == {"C": "C (CReason)"} with input as dossier
}

test_the_first_unclear_link_is_unknown_with_its_reason if {
	dossier := wired([named("A", "True"), named("B", "Unknown"), named("C", "Unknown")])
	outcomes(dossier) == {"unknown"}
	sample.by_term(gate.unknown) == {"B": "B (BReason)"} with input as dossier
	sample.reasons(gate.unknown) == {"BReason"} with input as dossier
}

test_a_monitor_that_cannot_be_asked_is_unknown if {
	dossier := monitored(sample.unavailable)
	outcomes(dossier) == {"unknown"}
	sample.by_term(gate.unknown) == {"": "the drift monitor could not be asked (Forbidden): may not list"} with input as dossier
	sample.reasons(gate.unknown) == {"Forbidden"} with input as dossier
	odd := monitored({"state": "unavailable", "reason": "no word", "message": ""})
	sample.reasons(gate.unknown) == {""} with input as odd
}

test_a_track_that_asks_for_none_is_skipped if {
	outcomes(sample.inference) == {"skip"}
	outcomes(monitored({"state": "notRequired"})) == {"skip"}
}

test_wrong_shapes_are_unknown if {
	every monitor in [
		null, 1, "x", [], {}, {"state": "wired"}, {"state": "complete"}, {"state": "complete", "links": []},
		{"state": "complete", "links": [1]}, {"state": "complete", "links": [{"name": "A", "holds": "True"}]},
		{"state": "complete", "links": [named("A", true)]}, {"state": "unavailable"},
	] {
		outcomes(monitored(monitor)) == {"unknown"}
	}
	outcomes({}) == {"unknown"}
}
