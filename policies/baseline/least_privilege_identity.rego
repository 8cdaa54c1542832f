# METADATA
# title: Workloads run under their own identity with least privilege
# description: >-
#   The "default" ServiceAccount is shared by everything in the namespace, a mounted token is a credential in every
#   container, and a wildcard or cluster-admin makes that credential worth the cluster.
# custom:
#   id: C-05
#   severity: high
#   controls: ["cis-kubernetes:5.1", "soc2:cc6.1", "eu-ai-act:art15", "nist-ai-rmf:measure-2.7"]
#   remediation: >-
#     Give the workload a ServiceAccount of its own, set automountServiceAccountToken: false unless it calls the
#     Kubernetes API, and bind it to a Role that lists the verbs and resources it needs.
#   absent: deny
package interlock.baseline.least_privilege_identity

import data.interlock.lib.parameter
import data.interlock.lib.report
import data.interlock.lib.shape
import data.interlock.lib.source
import data.interlock.lib.workload

about := report.entry(rego.metadata.chain())

deny contains finding($"{workload.prefix(pod)}serviceAccount/default", msg) if {
	some pod in workload.pods
	account(pod) == "default"
	msg := $"{workload.place(pod)} runs as the ServiceAccount default, which everything in the namespace shares; name its own"
}

deny contains finding($"{workload.prefix(pod)}serviceAccount/{name}", msg) if {
	some pod in workload.pods
	name := account(pod)
	name != "default"
	some item in accounts(name)
	item.exists == false
	msg := $"{workload.place(pod)} names the ServiceAccount {name}, which does not exist in its namespace; create it"
}

deny contains finding($"{workload.prefix(pod)}automountServiceAccountToken", msg) if {
	some pod in workload.pods
	not parameter.value("automountAllowed", false) == true
	mounts(pod)
	msg := concat("", [
		$"{workload.place(pod)} mounts the token of the ServiceAccount {account(pod)}; set automountServiceAccountToken: ",
		"false, or the parameter automountAllowed if it calls the Kubernetes API",
	])
}

deny contains finding(binding(item), msg) if {
	some item in permissions
	administrator(item)
	msg := $"{binding(item)} makes the ServiceAccount {item.serviceAccount} cluster-admin; bind a role with what it needs"
}

deny contains finding(binding(item), msg) if {
	some item in permissions
	not administrator(item)
	wide := wildcards(item)
	count(wide) > 0
	msg := concat("", [
		$"{binding(item)} gives the ServiceAccount {item.serviceAccount} every one (*) of {concat(", ", wide)}; ",
		$"list them one by one in the {item.role.kind} {item.role.name}",
	])
}

unknown contains report.because(finding(name, source.gap(name)), source.reason(name)) if {
	some name in ["serviceAccounts", "permissions"]
	not source.items(name)
	not workload.without_pods
}

unknown contains finding($"serviceAccount/{name}", msg) if {
	some name in names
	name != "default"
	source.items("serviceAccounts")
	not stated(name)
	msg := $"the dossier does not say whether the ServiceAccount {name} exists; gather it again"
}

unknown contains finding("permissions", msg) if {
	not workload.without_pods
	some item in source.items("permissions")
	not is_string(object.get(item, "serviceAccount", null))
	msg := "the dossier's permissions do not all say whose they are; gather it again"
}

unknown contains finding(binding(item), msg) if {
	some item in permissions
	not administrator(item)
	not readable(item)
	msg := concat("", [
		$"the rules of the {item.role.kind} {item.role.name}, bound by {binding(item)}, could not be read; ",
		"let Interlock read it, or create it if it is missing",
	])
}

unknown contains finding("pods", shape.unreadable)

unknown contains finding("parameters.automountAllowed", parameter.flag_problem("automountAllowed")) if {
	not workload.without_pods
}

skip contains finding("", workload.without_pods)

pass contains finding("", msg) if {
	count(union({deny, unknown, skip})) == 0
	msg := $"runs as {concat(", ", sort(names))} with {count(permissions)} role bindings, none of them wildcard or cluster-admin"
}

# ---- the identity of a pod ----

# serviceAccount is the old name of the field.
account(pod) := name if {
	some field in [["serviceAccountName"], ["serviceAccount"]]
	name := object.get(pod.spec, field, "")
	is_string(name)
	name != ""
} else := "default"

names := {account(pod) | some pod in workload.pods}

accounts(name) := [item | some item in source.items("serviceAccounts"); item.name == name]

stated(name) if {
	some item in accounts(name)
	is_boolean(item.exists)
}

# The pod's own word counts before the ServiceAccount's; with neither Kubernetes mounts the token.
mounts(pod) if pod.spec.automountServiceAccountToken == true

mounts(pod) if {
	object.get(pod.spec, "automountServiceAccountToken", null) == null
	some item in accounts(account(pod))
	not item.exists == false
	not item.automountServiceAccountToken == false
}

# ---- what the identity may do ----

permissions := [item |
	some item in source.items("permissions")
	item.serviceAccount in names
]

binding(item) := $"{item.binding.kind}/{item.binding.name}"

administrator(item) if {
	item.role.kind == "ClusterRole"
	item.role.name == "cluster-admin"
}

readable(item) if {
	is_array(item.rules)
	every rule in item.rules {
		is_object(rule)
		every field in grants {
			type_name(object.get(rule, field, null)) in ["array", "null"]
		}
	}
}

grants := ["verbs", "resources", "nonResourceURLs"]

wildcards(item) := [grant |
	some grant in grants
	some rule in item.rules
	wide(rule, grant)
]

wide(rule, grant) if {
	some value in rule[grant]
	value in ["*", "*/*"]
}

finding(term, msg) := report.finding(about.id, term, msg)
