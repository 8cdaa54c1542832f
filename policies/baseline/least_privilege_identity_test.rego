package interlock.baseline.least_privilege_identity_test

import data.interlock.baseline.least_privilege_identity as gate
import data.interlock.lib.sample_test as sample

accounts := "/related/serviceAccounts"

permissions := "/related/permissions"

set_at(path, value) := sample.patched([{"op": "replace", "path": path, "value": value}])

denied(dossier) := found if {
	found := sample.by_term(gate.deny) with input as dossier
}

unknown(dossier) := found if {
	found := sample.by_term(gate.unknown) with input as dossier
	count(gate.pass) == 0 with input as dossier
}

passes(dossier) if {
	sample.terms(gate.pass) == {""} with input as dossier
	count(union({gate.deny, gate.unknown, gate.skip})) == 0 with input as dossier
}

test_own_account_with_a_narrow_role_passes if {
	passes(sample.dossier)
	passes(set_at($"{permissions}/items", []))
}

test_default_account_is_denied if {
	every dossier in [
		sample.without_in_pod("serviceAccountName"),
		sample.in_pod("serviceAccountName", "default"),
		sample.in_pod("serviceAccountName", ""),
	] {
		found := denied(dossier)
		object.keys(found) == {"serviceAccount/default"}
		contains(found["serviceAccount/default"], "spec.template runs as the ServiceAccount default")
	}
}

test_old_field_names_the_account if {
	renamed := json.patch(
		sample.without_in_pod("serviceAccountName"),
		[{"op": "add", "path": "/pods/0/spec/serviceAccount", "value": "cart"}],
	)
	passes(renamed)
}

test_missing_account_is_denied if {
	found := denied(set_at($"{accounts}/items/0/exists", false))
	object.keys(found) == {"serviceAccount/cart"}
	contains(found["serviceAccount/cart"], "does not exist in its namespace; create it")
}

test_missing_account_has_no_token_to_mount if {
	dossier := json.patch(
		sample.without_in_pod("automountServiceAccountToken"),
		[{"op": "replace", "path": $"{accounts}/items/0/exists", "value": false}],
	)
	object.keys(denied(dossier)) == {"serviceAccount/cart"}
}

test_default_account_is_one_fault_even_where_it_is_missing if {
	missing := json.patch(sample.in_pod("serviceAccountName", "default"), [{
		"op": "replace",
		"path": $"{accounts}/items/0",
		"value": {"name": "default", "exists": false, "automountServiceAccountToken": null},
	}])
	found := denied(missing)
	object.keys(found) == {"serviceAccount/default"}
	count(gate.unknown) == 0 with input as sample.in_pod("serviceAccountName", "default")
}

test_mounted_token_is_denied if {
	every dossier in [
		sample.in_pod("automountServiceAccountToken", true),
		sample.in_pod("automountServiceAccountToken", null),
		sample.without_in_pod("automountServiceAccountToken"),
	] {
		object.keys(denied(dossier)) == {"automountServiceAccountToken"}
		passes(sample.with_parameters(dossier, {"automountAllowed": true}))
	}
}

test_account_may_refuse_the_token if {
	unsaid := sample.without_in_pod("automountServiceAccountToken")
	at := $"{accounts}/items/0/automountServiceAccountToken"
	passes(json.patch(unsaid, [{"op": "replace", "path": at, "value": false}]))
	object.keys(denied(json.patch(unsaid, [{"op": "replace", "path": at, "value": true}]))) == {"automountServiceAccountToken"}
	object.keys(denied(json.patch(unsaid, [{"op": "remove", "path": at}]))) == {"automountServiceAccountToken"}
	insisting := sample.in_pod("automountServiceAccountToken", true)
	object.keys(denied(json.patch(insisting, [{"op": "replace", "path": at, "value": false}]))) == {"automountServiceAccountToken"}
}

test_cluster_admin_is_denied if {
	every rules in [null, [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]] {
		dossier := set_at($"{permissions}/items/0", {
			"serviceAccount": "cart",
			"binding": {"kind": "ClusterRoleBinding", "name": "everything"},
			"role": {"kind": "ClusterRole", "name": "cluster-admin"},
			"rules": rules,
		})
		found := denied(dossier)
		count(gate.unknown) == 0 with input as dossier
		found == {"ClusterRoleBinding/everything": concat("", [
			"ClusterRoleBinding/everything makes the ServiceAccount cart cluster-admin; ",
			"bind a role with what it needs",
		])}
	}
	passes(set_at($"{permissions}/items/0/role/name", "cluster-admin"))
}

test_wildcards_are_denied if {
	every grant, rule in {
		"verbs": {"verbs": ["get", "*"], "resources": ["pods"]},
		"resources": {"verbs": ["get"], "resources": ["*"]},
		"nonResourceURLs": {"verbs": ["get"], "nonResourceURLs": ["*"]},
		"verbs, resources": {"verbs": ["*"], "resources": ["*/*"]},
	} {
		denied(set_at($"{permissions}/items/0/rules", [rule])) == {"RoleBinding/cart": concat("", [
			$"RoleBinding/cart gives the ServiceAccount cart every one (*) of {grant}; ",
			"list them one by one in the Role cart",
		])}
	}
}

test_another_accounts_role_does_not_matter if {
	passes(sample.patched([
		{"op": "replace", "path": $"{permissions}/items/0/serviceAccount", "value": "other"},
		{"op": "replace", "path": $"{permissions}/items/0/rules", "value": null},
	]))
}

test_unread_rules_are_unknown if {
	every rules in [null, "x", [1], [{"verbs": "*"}]] {
		found := unknown(set_at($"{permissions}/items/0/rules", rules))
		object.keys(found) == {"RoleBinding/cart"}
		contains(found["RoleBinding/cart"], "the rules of the Role cart")
	}
	object.keys(unknown(sample.patched([{"op": "remove", "path": $"{permissions}/items/0/rules"}]))) == {"RoleBinding/cart"}
}

test_permission_of_nobody_is_unknown if {
	object.keys(unknown(set_at($"{permissions}/items", [{}]))) == {"permissions"}
}

test_unavailable_sources_are_unknown if {
	every name in ["serviceAccounts", "permissions"] {
		unknown(set_at($"/related/{name}", sample.unavailable)) == {name: $"{name} could not be asked (Forbidden): may not list"}
		every value in [null, {}, {"state": "complete"}, {"state": "partial", "items": []}, {"items": []}, {"state": "complete", "items": [1]}] {
			object.keys(unknown(set_at($"/related/{name}", value))) == {name}
		}
		object.keys(unknown(sample.patched([{"op": "remove", "path": $"/related/{name}"}]))) == {name}
	}
}

test_unavailable_source_says_why_in_one_word if {
	path := "/related/permissions"
	sample.reasons(gate.unknown) == {"Forbidden"} with input as set_at(path, sample.unavailable)
	every word in [null, 1, "", "not one word", concat("", ["x" | some _ in numbers.range(1, 65)])] {
		odd := json.patch(sample.unavailable, [{"op": "replace", "path": "/reason", "value": word}])
		sample.reasons(gate.unknown) == {""} with input as set_at(path, odd)
	}
}

test_denial_stands_beside_an_unavailable_source if {
	dossier := json.patch(
		sample.in_pod("automountServiceAccountToken", true),
		[{"op": "replace", "path": accounts, "value": sample.unavailable}],
	)
	object.keys(unknown(dossier)) == {"serviceAccounts"}
	object.keys(denied(dossier)) == {"automountServiceAccountToken"}
}

test_account_nobody_spoke_of_is_unknown if {
	object.keys(unknown(set_at($"{accounts}/items", []))) == {"serviceAccount/cart"}
	object.keys(unknown(set_at($"{accounts}/items/0/exists", null))) == {"serviceAccount/cart"}
}

test_wrong_parameter_is_unknown if {
	object.keys(unknown(sample.with_parameters(sample.dossier, {"automountAllowed": "yes"}))) == {"parameters.automountAllowed"}
}

test_wrong_types_are_unknown if {
	object.keys(unknown(sample.in_pod("serviceAccountName", 7))) & {"pods"} == {"pods"}
	object.keys(unknown(sample.in_pod("automountServiceAccountToken", "false"))) == {"pods"}
}

test_no_pods_is_skipped_even_without_sources if {
	dossier := json.patch(sample.route, [{"op": "replace", "path": accounts, "value": sample.unavailable}])
	sample.terms(gate.skip) == {""} with input as dossier
	count(union({gate.deny, gate.unknown, gate.pass})) == 0 with input as dossier
}

test_pod_template_elsewhere_is_unknown if {
	sample.terms(gate.unknown) == {"pods"} with input as sample.referring
	count(union({gate.deny, gate.skip, gate.pass})) == 0 with input as sample.referring
}
