package interlock.baseline.network_isolated_test

import data.interlock.baseline.network_isolated as gate
import data.interlock.lib.sample_test as sample

source := "/related/networkPolicies"

set_at(path, value) := sample.patched([{"op": "add", "path": path, "value": value}])

with_ingress(rules) := set_at($"{source}/items/0/ingress", rules)

denied(dossier) := found if {
	found := sample.by_term(gate.deny) with input as dossier
	count(gate.pass) == 0 with input as dossier
}

warned(dossier) := found if {
	found := sample.by_term(gate.warn) with input as dossier
	count(union({gate.deny, gate.pass})) == 0 with input as dossier
}

unknown(dossier) := found if {
	found := sample.by_term(gate.unknown) with input as dossier
	count(gate.pass) == 0 with input as dossier
}

passes(dossier) if {
	sample.terms(gate.pass) == {""} with input as dossier
	count(union({gate.deny, gate.warn, gate.unknown, gate.skip})) == 0 with input as dossier
}

test_selected_pod_passes if {
	passes(sample.dossier)
	passes(with_ingress([]))
	passes(with_ingress(null))
	passes(sample.patched([{"op": "remove", "path": $"{source}/items/0/policyTypes"}]))
}

test_unselected_pod_is_denied if {
	every dossier in [
		set_at($"{source}/items", []),
		set_at($"{source}/items/0/selects", ["spec.other"]),
		set_at($"{source}/items/0/policyTypes", ["Egress"]),
	] {
		denied(dossier) == {"spec.template": concat("", [
			"no NetworkPolicy restricts ingress of spec.template; ",
			"create one that selects its labels",
		])}
	}
}

test_every_pod_template_needs_a_policy if {
	dossier := set_at("/pods/-", {"path": "spec.worker", "labels": {}, "spec": sample.pod})
	object.keys(denied(dossier)) == {"spec.worker"}
}

test_bare_pod_has_a_term if {
	dossier := sample.patched([
		{"op": "replace", "path": "/pods/0/path", "value": "pod"},
		{"op": "replace", "path": $"{source}/items", "value": []},
	])
	object.keys(denied(dossier)) == {"pod"}
}

test_rule_for_everybody_is_denied if {
	every rule in [
		{},
		{"from": []},
		{"from": null},
		{"from": [{}]},
		{"ports": [{"port": 80}]},
		{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]},
		{"from": [{"podSelector": {}}, {"ipBlock": {"cidr": "::/0", "except": []}}]},
	] {
		denied(with_ingress([rule])) == {"NetworkPolicy/cart/ingress[0]": concat("", [
			"NetworkPolicy cart allows ingress[0] from anywhere; ",
			"list the peers that need it",
		])}
	}
}

test_rule_for_everybody_is_no_warning_too if {
	count(gate.warn) == 0 with input as with_ingress([{}])
}

test_rules_of_a_type_the_policy_does_not_name_do_nothing if {
	egress_only := {"name": "out", "selects": ["spec.template"], "policyTypes": ["Egress"], "ingress": [{}], "egress": []}
	passes(set_at($"{source}/items/-", egress_only))
}

test_one_open_policy_opens_the_others if {
	open := {"name": "open", "selects": ["spec.template"], "policyTypes": ["Ingress"], "ingress": [{}], "egress": []}
	object.keys(denied(set_at($"{source}/items/-", open))) == {"NetworkPolicy/open/ingress[0]"}
}

test_rule_for_the_whole_cluster_warns if {
	every peer in [
		{"namespaceSelector": {}},
		{"namespaceSelector": {"matchLabels": {}}, "podSelector": {}},
	] {
		found := warned(with_ingress([{"from": [peer]}]))
		object.keys(found) == {"NetworkPolicy/cart/ingress[0]"}
		contains(found["NetworkPolicy/cart/ingress[0]"], "every pod of every namespace")
	}
}

test_narrow_peers_pass if {
	every peer in [
		{"podSelector": {}},
		{"namespaceSelector": {"matchLabels": {"name": "front"}}},
		{"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
		{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "front"}}},
		{"ipBlock": {"cidr": "10.0.0.0/8"}},
		{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}},
	] {
		passes(with_ingress([{"from": [peer]}]))
	}
}

test_host_network_is_denied if {
	every value in [true, "true", {}] { object.keys(denied(sample.in_pod("hostNetwork", value))) == {"hostNetwork"} }
	passes(sample.in_pod("hostNetwork", false))
}

with_egress(types, rules) := sample.with_parameters(
	sample.patched([
		{"op": "replace", "path": $"{source}/items/0/policyTypes", "value": types},
		{"op": "replace", "path": $"{source}/items/0/egress", "value": rules},
	]),
	{"requireEgress": true},
)

test_egress_by_parameter if {
	object.keys(denied(with_egress(["Ingress"], [{"to": [{"podSelector": {}}]}]))) == {"spec.template/egress"}
	object.keys(denied(with_egress(null, []))) == {"spec.template/egress"}
	object.keys(denied(with_egress(["Ingress"], []))) == {"spec.template/egress"}
	passes(with_egress(["Ingress", "Egress"], []))
	passes(with_egress(null, [{"to": [{"podSelector": {}}]}]))
	object.keys(denied(with_egress(["Ingress", "Egress"], [{}]))) == {"NetworkPolicy/cart/egress[0]"}
	found := sample.by_term(gate.pass) with input as with_egress(["Ingress", "Egress"], [])
	found[""] == "NetworkPolicies restrict ingress and egress of every pod"
}

test_open_egress_does_not_matter_unless_asked if {
	passes(sample.patched([
		{"op": "replace", "path": $"{source}/items/0/policyTypes", "value": ["Ingress", "Egress"]},
		{"op": "replace", "path": $"{source}/items/0/egress", "value": [{}]},
	]))
}

test_unavailable_source_is_unknown if {
	unknown(set_at(source, sample.unavailable)) == {"networkPolicies": concat("", [
		"networkPolicies could not be asked (Forbidden): ",
		"may not list",
	])}
	every value in [null, {}, {"state": "complete"}, {"state": "complete", "items": {}}] {
		object.keys(unknown(set_at(source, value))) == {"networkPolicies"}
	}
	count(gate.deny) == 0 with input as set_at(source, sample.unavailable)
	sample.reasons(gate.unknown) == {"Forbidden"} with input as set_at(source, sample.unavailable)
	sample.reasons(gate.unknown) == {""} with input as set_at(source, {})
}

test_unreadable_policy_is_unknown if {
	every rules in ["x", [1], [{"from": "anybody"}], [{"from": ["x"]}]] {
		object.keys(unknown(with_ingress(rules))) & {"NetworkPolicy/cart"} == {"NetworkPolicy/cart"}
	}
}

test_wrong_parameter_is_unknown if {
	object.keys(unknown(sample.with_parameters(sample.dossier, {"requireEgress": 1}))) == {"parameters.requireEgress"}
}

test_wrong_types_are_unknown if {
	object.keys(unknown(sample.in_pod("containers", {}))) == {"pods"}
	object.keys(unknown({})) == {"pods", "networkPolicies"}
}

test_no_pods_is_skipped_even_without_the_source if {
	dossier := json.patch(sample.route, [{"op": "replace", "path": source, "value": sample.unavailable}])
	sample.terms(gate.skip) == {""} with input as dossier
	count(union({gate.deny, gate.warn, gate.unknown, gate.pass})) == 0 with input as dossier
}

test_pod_template_elsewhere_is_unknown if {
	sample.terms(gate.unknown) == {"pods"} with input as sample.referring
	count(union({gate.deny, gate.skip, gate.pass})) == 0 with input as sample.referring
}
