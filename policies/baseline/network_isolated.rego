# METADATA
# title: Network traffic to pods is restricted
# description: >-
#   Without a NetworkPolicy every pod of the cluster can reach every port of a workload, so one compromised neighbour can
#   query a model or a database directly and go round authentication at the ingress.
# custom:
#   id: C-06
#   severity: medium
#   controls: ["cis-kubernetes:5.3", "soc2:cc6.6", "eu-ai-act:art15", "nist-ai-rmf:measure-2.7"]
#   remediation: >-
#     Create a NetworkPolicy that selects the pods and lists, under ingress.from, only the peers that must reach them.
#   absent: deny
package interlock.baseline.network_isolated

import data.interlock.lib.parameter
import data.interlock.lib.report
import data.interlock.lib.shape
import data.interlock.lib.source
import data.interlock.lib.workload

about := report.entry(rego.metadata.chain())

deny contains finding(term(pod, direction), msg) if {
	some pod in workload.pods
	some direction in directions
	source.items("networkPolicies")
	count(restricting(pod, direction)) == 0
	msg := $"no NetworkPolicy restricts {lower(direction)} of {workload.place(pod)}; create one that selects its labels"
}

# Policies add up: one rule for everybody opens what all the others close.
deny contains finding(opening.term, msg) if {
	some opening in openings
	opening.width == "everybody"
	msg := $"NetworkPolicy {opening.policy} allows {opening.rule} {opening.way} anywhere; list the peers that need it"
}

deny contains finding($"{workload.prefix(pod)}hostNetwork", msg) if {
	some pod in workload.pods
	not object.get(pod.spec, "hostNetwork", null) in [null, false]
	msg := $"{workload.place(pod)} is on the network of its node, where NetworkPolicies do not apply; remove hostNetwork"
}

warn contains finding(opening.term, msg) if {
	some opening in openings
	opening.width == "cluster"
	msg := concat("", [
		$"NetworkPolicy {opening.policy} allows {opening.rule} {opening.way} every pod of every namespace; ",
		"narrow the namespaceSelector",
	])
}

unknown contains report.because(finding(name, source.gap(name)), source.reason(name)) if {
	name := "networkPolicies"
	not source.items(name)
	not workload.without_pods
}

unknown contains finding($"NetworkPolicy/{policy.name}", msg) if {
	not workload.without_pods
	some policy in source.items("networkPolicies")
	not readable(policy)
	msg := $"NetworkPolicy {policy.name} has rules that are not lists of objects; correct it"
}

unknown contains finding("pods", shape.unreadable)

unknown contains finding("parameters.requireEgress", parameter.flag_problem("requireEgress")) if {
	not workload.without_pods
}

skip contains finding("", workload.without_pods)

pass contains finding("", $"NetworkPolicies restrict {lower(concat(" and ", directions))} of every pod") if {
	count(union({deny, warn, unknown, skip})) == 0
}

directions := ["Ingress", "Egress"] if {
	parameter.value("requireEgress", false) == true
} else := ["Ingress"]

restricting(pod, direction) := [policy.name |
	some policy in source.items("networkPolicies")
	pod.path in policy.selects
	covers(policy, direction)
]

# Without policyTypes a policy is about ingress, and about egress where it has egress rules.
covers(policy, direction) if direction in policy.policyTypes

covers(policy, "Ingress") if not declares_types(policy)

covers(policy, "Egress") if {
	not declares_types(policy)
	count(policy.egress) > 0
}

declares_types(policy) if count(policy.policyTypes) > 0

# Rules without a narrow list of peers, in the directions that count.
openings := [opening |
	not workload.without_pods
	some policy in source.items("networkPolicies")
	some direction in directions
	covers(policy, direction)
	side := sides[direction]
	some index, rule in policy[side.rules]
	is_object(rule)
	width := widest(object.get(rule, side.peers, null))
	opening := {
		"policy": policy.name,
		"width": width,
		"way": side.way,
		"rule": $"{side.rules}[{index}]",
		"term": $"NetworkPolicy/{policy.name}/{side.rules}[{index}]",
	}
]

sides := {
	"Ingress": {"rules": "ingress", "peers": "from", "way": "from"},
	"Egress": {"rules": "egress", "peers": "to", "way": "to"},
}

widest(peers) := "everybody" if {
	not listed(peers)
} else := "everybody" if {
	{} in peers
} else := "everybody" if {
	some peer in peers
	object.get(peer, ["ipBlock", "cidr"], "") in ["0.0.0.0/0", "::/0"]
	count(object.get(peer, ["ipBlock", "except"], [])) == 0
} else := "cluster" if {
	some peer in peers
	empty_selector(peer.namespaceSelector)
	not narrow(object.get(peer, "podSelector", {}))
}

# No list, or an empty one, means everybody.
listed(peers) if {
	is_array(peers)
	count(peers) > 0
}

empty_selector(selector) if not narrow(selector)

narrow(selector) if count(object.get(selector, "matchLabels", {})) > 0

narrow(selector) if count(object.get(selector, "matchExpressions", [])) > 0

readable(policy) if {
	is_string(policy.name)
	is_array(policy.selects)
	every side in sides {
		rules := object.get(policy, side.rules, null)
		rule_list(rules, side.peers)
	}
}

rule_list(null, _)

rule_list(rules, peers) if {
	is_array(rules)
	every rule in rules {
		is_object(rule)
		peer_list(object.get(rule, peers, null))
	}
}

peer_list(null)

peer_list(peers) if {
	is_array(peers)
	every peer in peers { is_object(peer) }
}

# A waiver names the direction only where it is not the usual one.
term(pod, "Ingress") := workload.place(pod)

term(pod, "Egress") := $"{workload.place(pod)}/egress"

finding(term, msg) := report.finding(about.id, term, msg)
