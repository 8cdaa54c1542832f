# METADATA
# title: Pods meet the Pod Security Standards and declare resources
# description: >-
#   A container that keeps the node's privileges turns one exploited process into a lost node, and one without requests
#   and a memory limit takes its neighbours down with it. Both are visible in the pod template before anything runs.
# custom:
#   id: C-04
#   severity: high
#   controls: ["pss:restricted", "cis-kubernetes:5.2", "soc2:cc6.1", "eu-ai-act:art15", "nist-ai-rmf:measure-2.7"]
#   remediation: >-
#     Set on the pod runAsNonRoot: true and seccompProfile {type: RuntimeDefault}; on each container
#     allowPrivilegeEscalation: false, capabilities {drop: [ALL]}, requests for cpu and memory and a memory limit.
#   absent: deny
package interlock.baseline.pod_security_resources

import data.interlock.lib.parameter
import data.interlock.lib.pod_security
import data.interlock.lib.quantity
import data.interlock.lib.report
import data.interlock.lib.shape
import data.interlock.lib.workload

about := report.entry(rego.metadata.chain())

deny contains finding(violation.term, violation.msg) if {
	some violation in pod_security.violations(level)
}

deny contains finding($"{container.term}/resources", msg) if {
	some container in workload.containers
	not container.completed
	missing := lacking(container)
	count(missing) > 0
	msg := $"container {container.name} has no {concat(", ", missing)}; set them under resources"
}

# A ServingRuntime adds containers, volumes, hostIPC and whatever the model's container leaves unset.
unknown contains finding(container.term, msg) if {
	some container in workload.containers
	container.completed
	something_required
	msg := concat("", [
		$"container {container.name} is completed by a ServingRuntime, which this dossier does not hold; ",
		"name a container with its settings under containers to have it judged",
	])
}

unknown contains finding($"{workload.prefix(pod)}containers", msg) if {
	some pod in workload.pods
	workload.completes(pod)
	something_required
	count([c | some c in workload.containers; c.pod.path == pod.path]) == 0
	msg := concat("", [
		$"the containers of {workload.place(pod)} come from a {pod.completedBy}, which this dossier does not hold; ",
		"name them with their settings under containers to have them judged",
	])
}

unknown contains finding("pods", shape.unreadable)

unknown contains finding("parameters.podSecurity", parameter.choice_problem("podSecurity", "restricted", levels)) if {
	not workload.without_pods
}

unknown contains finding("parameters.resources", parameter.choice_problem("resources", "limits", degrees)) if {
	not workload.without_pods
}

skip contains finding("", workload.without_pods)

pass contains finding("", msg) if {
	count(union({deny, unknown, skip})) == 0
	msg := $"{count(workload.containers)} containers meet Pod Security {level}; resources asked for: {degree}"
}

level := parameter.value("podSecurity", "restricted")

levels := ["restricted", "baseline", "privileged"]

degree := parameter.value("resources", "limits")

# What each degree asks of a container.
required := {
	"limits": ["requests.cpu", "requests.memory", "limits.memory"],
	"requests": ["requests.cpu", "requests.memory"],
	"none": [],
}

degrees := ["limits", "requests", "none"]

something_required if level != "privileged"

something_required if degree != "none"

# An ephemeral container cannot have resources.
lacking(container) := [want |
	container.list != "ephemeralContainers"
	some want in required[degree]
	not has(container, want)
]

has(container, want) if given(container.spec, want)

has(container, want) if given(container.pod.spec, want)

# Kubernetes takes a limit for the request where only the limit is set.
given(spec, want) if quantity.positive(object.get(spec, array.concat(["resources"], split(want, ".")), null))

given(spec, want) if quantity.positive(object.get(spec, ["resources", "limits", trim_prefix(want, "requests.")], null))

finding(term, msg) := report.finding(about.id, term, msg)
