# METADATA
# title: Whole dossiers
# description: >-
#   golden/ travels in the bundle, where the engine's self-test runs it; cases/ does not. policies/test loads both. Each
#   holds a dossier and the strongest outcome every gate must have.
package interlock.model.golden_test

import data.interlock.model

# Strongest first.
outcomes := ["deny", "unknown", "pending", "warn", "pass", "skip"]

strongest(decision) := {gate: [outcome | some outcome in outcomes; some f in decision[outcome]; f.gate == gate][0] |
	some gate, _ in model.catalogue
}

differing(dossiers) := {name: got |
	some name, example in dossiers
	decision := model.decision with input as example.input
	got := strongest(decision)
	got != example.want
}

test_golden if {
	count(data.interlock.golden) == 4
	differing(data.interlock.golden) == {}
}

test_cases if {
	count(data.interlock.cases) > 5
	differing(data.interlock.cases) == {}
}

# Every gate has every result it can have somewhere among these.
test_cases_cover_every_result if {
	results := {[gate, outcome] |
		some dossiers in [data.interlock.golden, data.interlock.cases]
		some example in dossiers
		some gate, outcome in example.want
	}
	every gate, _ in model.catalogue {
		every outcome in ["pass", "deny", "unknown", "skip"] { [gate, outcome] in results }
	}
}
