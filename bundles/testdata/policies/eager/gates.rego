# A gate that passes because nothing objects, not because anything is shown.
package gates

catalogue := {
	"C-01": {"title": "Images are pinned", "why": "A tag moves", "severity": "high", "controls": ["SLSA"], "remediation": "Name the digest", "absent": "deny"},
	"C-02": {"title": "Memory is bounded", "why": "Neighbours", "severity": "medium", "controls": [], "remediation": "Set a limit", "absent": "pending"},
}

decision := {"deny": deny, "pass": pass}

containers := input.object.spec.containers

deny contains {"gate": "C-01", "term": c.name, "msg": sprintf("%s uses %q of %v", [c.name, c.image, {"b", "a"}])} if {
	some c in containers
	not contains(c.image, "@sha256:")
}

deny contains {"gate": "C-02", "term": c.name, "msg": sprintf("%d bytes are more than %d", [units.parse(c.memory), data.limits.memory])} if {
	some c in containers
	units.parse(c.memory) > data.limits.memory
}

pass contains {"gate": "C-01", "msg": "nothing found"} if {
	count(deny) == 0
}

pass contains {"gate": "C-01", "term": c.name, "msg": "pinned"} if {
	some c in containers
	contains(c.image, "@sha256:")
}

pass contains {"gate": "C-02", "term": c.name, "msg": "bounded"} if {
	some c in containers
	units.parse(c.memory) <= data.limits.memory
}
