package interlock.model_test

import data.interlock.lib.sample_test as sample
import data.interlock.model

gates := {"M-01", "M-14"}

kinds := {"pass", "deny", "warn", "pending", "unknown", "skip"}

# Gate to the kinds of findings it gave.
said(dossier) := {gate: {kind | some kind, findings in decision; some finding in findings; finding.gate == gate} |
	some gate in gates
} if {
	decision := model.decision with input as dossier
}

dossiers := [
	sample.dossier,
	sample.inference,
	sample.served,
	sample.route,
	{},
	{"models": "x", "driftMonitor": [], "subject": 1, "parameters": null},
	json.patch(sample.inference, [{"op": "remove", "path": "/models"}]),
	json.patch(sample.inference, [{"op": "remove", "path": "/subject"}]),
	object.union(sample.inference, {"driftMonitor": {"state": "complete", "links": [sample.link, {}]}}),
]

test_good_dossier if said(sample.inference) == {"M-01": {"pass"}, "M-14": {"skip"}}

test_every_gate_says_one_thing_about_anything if {
	every dossier in dossiers {
		every _, said_kinds in said(dossier) { count(said_kinds) == 1 }
	}
}

test_nothing_known_passes_nothing if said({}) == {gate: {"unknown"} | some gate in gates}

test_decision_has_six_sets_of_findings if {
	every dossier in dossiers {
		decision := model.decision with input as dossier
		object.keys(decision) == kinds
		every findings in decision {
			is_set(findings)
			every finding in findings {
				object.keys(object.remove(finding, ["reason"])) == {"gate", "term", "msg", "evidence"}
				is_string(object.get(finding, "reason", ""))
				finding.gate in gates
				is_string(finding.term)
				finding.msg != ""
				not contains(finding.msg, "<undefined>")
				finding.evidence == []
			}
		}
	}
}

# A waiver names a gate and a term, and per gate and term one message is kept.
test_one_message_a_term if {
	every dossier in dossiers {
		decision := model.decision with input as dossier
		every findings in decision {
			count({[finding.gate, finding.term] | some finding in findings}) == count(findings)
		}
	}
}

test_catalogue_describes_every_gate if {
	object.keys(model.catalogue) == gates
	every entry in model.catalogue {
		object.keys(entry) == {"title", "why", "severity", "controls", "remediation", "absent", "phase"}
		every field in ["title", "why", "remediation"] { count(entry[field]) > 20 }
		entry.severity in ["critical", "high", "medium", "low"]
		count(entry.controls) > 0
		every control in entry.controls { regex.match(`^[a-z0-9-]+:[a-z0-9.-]+$`, control) }
		entry.absent in ["deny", "pending"]
	}
}

# A monitor cannot watch what does not run yet.
test_only_the_monitor_waits_for_operation if {
	model.catalogue["M-01"].phase == "admission"
	model.catalogue["M-14"].phase == "operation"
}
