# METADATA
# title: Whole dossiers
# description: >-
#   golden/ travels in the bundle, where the engine's self-test runs it; cases/ does not. policies/test loads both. Each
#   holds a dossier and the strongest outcome every gate must have.
package interlock.baseline.golden_test

import data.interlock.baseline

# Strongest first.
outcomes := ["deny", "unknown", "pending", "warn", "pass", "skip"]

strongest(decision) := {gate: [outcome | some outcome in outcomes; some f in decision[outcome]; f.gate == gate][0] |
	some gate, _ in baseline.catalogue
}

differing(dossiers) := {name: got |
	some name, example in dossiers
	decision := baseline.decision with input as example.input
	got := strongest(decision)
	got != example.want
}

test_golden if {
	count(data.interlock.golden) == 5
	differing(data.interlock.golden) == {}
}

test_cases if {
	count(data.interlock.cases) > 12
	differing(data.interlock.cases) == {}
}

# Every gate has every result it can have somewhere among these.
test_cases_cover_every_result if {
	results := {[gate, outcome] |
		some dossiers in [data.interlock.golden, data.interlock.cases]
		some example in dossiers
		some gate, outcome in example.want
	}
	every gate, _ in baseline.catalogue {
		every outcome in ["pass", "deny", "unknown", "skip"] { [gate, outcome] in results }
	}
	["C-06", "warn"] in results
}
