package interlock.baseline_test

import data.interlock.baseline
import data.interlock.lib.sample_test as sample

gates := {"C-01", "C-04", "C-05", "C-06", "C-07"}

kinds := {"pass", "deny", "warn", "pending", "unknown", "skip"}

# Gate to the kinds of findings it gave.
said(dossier) := {gate: {kind | some kind, findings in decision; some finding in findings; finding.gate == gate} |
	some gate in gates
} if {
	decision := baseline.decision with input as dossier
}

dossiers := [
	sample.dossier,
	sample.served,
	sample.route,
	{},
	{"pods": 1, "images": "x", "related": [], "parameters": null},
	sample.patched([{"op": "remove", "path": "/related"}]),
	sample.patched([{"op": "remove", "path": "/object"}]),
	sample.patched([{"op": "replace", "path": "/pods/0/spec", "value": {"containers": [{}]}}]),
]

test_good_dossier_passes_every_gate if said(sample.dossier) == {gate: {"pass"} | some gate in gates}

test_object_without_pods_skips_every_gate if said(sample.route) == {gate: {"skip"} | some gate in gates}

# A kind that holds its pods in a way of its own, and one that should hold some and does not, are no routes.
test_object_whose_pods_were_not_found_is_unknown if {
	every patches in [
		[{"op": "replace", "path": "/object", "value": {"spec": {"steps": [{"image": "busybox"}]}}}],
		[{"op": "replace", "path": "/object", "value": {"spec": {"job": {"container": {"image": "x"}}}}}],
		[{"op": "replace", "path": "/subject/kind", "value": "Pod"}, {"op": "replace", "path": "/subject/apiVersion", "value": "v1"}],
		[{"op": "replace", "path": "/subject/kind", "value": "Deployment"}, {"op": "replace", "path": "/subject/apiVersion", "value": "apps/v1"}],
	] {
		said(json.patch(sample.route, patches)) == {gate: {"unknown"} | some gate in gates}
	}
}

test_wrong_parameters_do_not_concern_an_object_without_pods if {
	wrong := {"podSecurity": 1, "resources": 1, "automountAllowed": 1, "requireEgress": 1, "allowedNames": 1}
	said(sample.with_parameters(sample.route, wrong)) == {gate: {"skip"} | some gate in gates}
	said(sample.with_parameters(sample.dossier, wrong)) == object.union(
		{gate: {"unknown"} | some gate in gates},
		{"C-01": {"pass"}},
	)
}

test_every_gate_says_something_about_anything if {
	every dossier in dossiers {
		every _, said_kinds in said(dossier) { count(said_kinds) > 0 }
	}
}

test_pass_and_skip_stand_alone if {
	every dossier in dossiers {
		every _, said_kinds in said(dossier) { alone(said_kinds) }
	}
}

alone(said_kinds) if count(said_kinds) == 1

alone(said_kinds) if count(said_kinds & {"pass", "skip"}) == 0

test_nothing_known_passes_nothing if {
	every _, said_kinds in said({}) { said_kinds == {"unknown"} }
}

test_decision_has_six_sets_of_findings if {
	every dossier in dossiers {
		decision := baseline.decision with input as dossier
		object.keys(decision) == kinds
		every findings in decision {
			is_set(findings)
			every finding in findings {
				object.remove(finding, ["reason"]) == object.filter(finding, ["gate", "term", "msg", "evidence"])
				count(object.remove(finding, ["reason"])) == 4
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
		decision := baseline.decision with input as dossier
		every findings in decision {
			count({[finding.gate, finding.term] | some finding in findings}) == count(findings)
		}
	}
}

test_catalogue_describes_every_gate if {
	object.keys(baseline.catalogue) == gates
	every entry in baseline.catalogue {
		object.keys(entry) == {"title", "why", "severity", "controls", "remediation", "absent"}
		every field in ["title", "why", "remediation"] { count(entry[field]) > 20 }
		entry.severity in ["critical", "high", "medium", "low"]
		count(entry.controls) > 0
		every control in entry.controls { regex.match(`^[a-z0-9-]+:[a-z0-9.-]+$`, control) }
		entry.absent in ["deny", "pending"]
	}
}
