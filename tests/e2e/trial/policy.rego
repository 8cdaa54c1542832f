# What the stories about refused bundles publish: one gate that a label of the workload decides, and, at its word,
# everything a policy should not do. The self-test does not meet those words.
package trial

catalogue := {"T-01": {
	"title": "The label verdict is good",
	"why": "A story asks for it",
	"severity": "low",
	"remediation": "Set it to good",
	"absent": "deny",
}}

decision := {"pass": passing, "deny": denying, "warn": warning}

word := input.object.metadata.labels.verdict

passing contains finding("the label says so") if word == "good"

denying contains finding("the label says no") if word == "bad"

warning contains finding("it looped") if {
	word == "endless-loop"
	few := numbers.range(1, 4000)
	some a in few
	some b in few
	some c in few
	a == b
	b == c
	c == -1
}

warning contains finding(concat("", bomb)) if {
	word == "memory-bomb"
	bomb := [text | some number in numbers.range(1, 100000000); text := format_int(number, 10)]
}

warning contains finding("it went too deep") if {
	word == "trap"
	json.unmarshal(concat("", ["[" | some _ in numbers.range(1, 400000)]))
}

warning contains finding(text) if {
	word == "large-result"
	kilobyte := concat("", ["0123456789" | some _ in numbers.range(1, 100)])
	megabyte := concat("", [kilobyte | some _ in numbers.range(1, 1000)])
	text := [megabyte | some _ in numbers.range(1, 100)]
}

finding(text) := {"gate": "T-01", "term": "", "msg": text, "evidence": []}
