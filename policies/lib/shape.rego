# METADATA
# title: Fields of the wrong type
# description: >-
#   A rule that meets a string where it expects a list is undefined, and an undefined denial looks like none. Gates about
#   pods therefore ask here first, and answer unknown when anything they read has another type than Kubernetes gives it.
package interlock.lib.shape

import data.interlock.lib.workload

# The types Kubernetes gives the fields that gates read.
fields := {
	"pod": {"path": "string", "spec": "object", "annotations": "object", "completedBy": "string"},
	"spec": {
		"containers": "array", "initContainers": "array", "ephemeralContainers": "array", "volumes": "array",
		"securityContext": "object", "resources": "object", "os": "object", "hostUsers": "boolean",
		"serviceAccountName": "string", "serviceAccount": "string", "automountServiceAccountToken": "boolean",
	},
	"container": {
		"name": "string", "securityContext": "object", "resources": "object", "lifecycle": "object", "ports": "array",
		"env": "array", "args": "array", "command": "array", "livenessProbe": "object", "readinessProbe": "object",
		"startupProbe": "object",
	},
	"securityContext": {
		"capabilities": "object", "seccompProfile": "object", "seLinuxOptions": "object", "appArmorProfile": "object",
		"windowsOptions": "object", "sysctls": "array", "runAsUser": "number",
	},
	"capabilities": {"add": "array", "drop": "array"},
	"resources": {"requests": "object", "limits": "object"},
	"handlers": {"postStart": "object", "preStop": "object", "httpGet": "object", "tcpSocket": "object"},
	"env": {"name": "string", "value": "string", "valueFrom": "object"},
}

# What the members of a list are.
members := {
	"containers": "object", "initContainers": "object", "ephemeralContainers": "object", "volumes": "object",
	"sysctls": "object", "ports": "object", "env": "object", "args": "string", "command": "string", "add": "string",
	"drop": "string",
}

# One sentence for all of them; undefined when every pod template is in order.
unreadable := msg if {
	workload.elsewhere
	msg := concat("", [
		$"{workload.subject} takes its pod template from {workload.elsewhere}, which this dossier does not hold; ",
		"judge that object, or write the template into this one",
	])
} else := $"{concat("; ", first)}; correct the object" if {
	count(problems) > 0
	first := array.slice(sort(problems), 0, 3)
}

problems contains "the dossier holds no list of pod templates" if not listed

problems contains workload.opaque

# A rule of its own: "not is_array(input.pods)" is undefined, not true, where input has no pods.
listed if is_array(input.pods)

problems contains $"pod template {index} is {type_name(pod)}, not object" if {
	is_array(input.pods)
	some index, pod in input.pods
	not is_object(pod)
}

problems contains $"pod template {index} has no {field}" if {
	is_array(input.pods)
	some index, pod in input.pods
	some field in ["path", "spec"]
	object.get(pod, field, null) == null
}

problems contains $"{workload.place(pod)} has no container" if {
	some pod in workload.pods
	not workload.completes(pod)
	count([c | some c in workload.containers; c.pod.path == pod.path]) == 0
}

problems contains problem if {
	some thing in things
	some problem in misfits(thing)
}

problems contains problem if {
	some thing in things
	some problem in strays(thing)
}

# Everything that is looked at, as {kind, at, value}.
things := array.flatten([pod_things, container_things])

pod_things := [thing |
	is_array(input.pods)
	some index, pod in input.pods
	some thing in in_pod(index, pod)
]

in_pod(index, pod) := [
	{"kind": "pod", "at": $"pod template {index}", "value": pod},
	{"kind": "spec", "at": at, "value": spec},
	{"kind": "securityContext", "at": $"{at}.securityContext", "value": workload.section(spec, "securityContext")},
	{"kind": "resources", "at": $"{at}.resources", "value": workload.section(spec, "resources")},
] if {
	at := object.get(pod, "path", "")
	spec := workload.section(pod, "spec")
}

container_things := [thing |
	some container in workload.containers
	at := $"container {container.name}"
	security := container.security
	some thing in array.concat(
		[
			{"kind": "container", "at": at, "value": container.spec},
			{"kind": "securityContext", "at": $"{at}.securityContext", "value": security},
			{"kind": "capabilities", "at": $"{at}.securityContext.capabilities", "value": workload.section(security, "capabilities")},
			{"kind": "resources", "at": $"{at}.resources", "value": workload.section(container.spec, "resources")},
		],
		array.concat(env_things(container, at), handler_things(container, at)),
	)
]

env_things(container, at) := [{"kind": "env", "at": $"{at}.env[{index}]", "value": variable} |
	is_array(container.spec.env)
	some index, variable in container.spec.env
]

handler_things(container, at) := [{"kind": "handlers", "at": $"{at}.{field}", "value": handler} |
	some field, handler in handlers(container.spec)
]

# The probes, the lifecycle and its hooks.
handlers(spec) := object.union(
	{field: spec[field] | some field in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"]},
	{$"lifecycle.{hook}": handler | some hook, handler in workload.section(spec, "lifecycle")},
)

misfits(thing) := [$"{thing.at}.{field} is {type_name(value)}, not {want}" |
	is_object(thing.value)
	some field, value in thing.value
	want := fields[thing.kind][field]
	not type_name(value) in [want, "null"]
]

strays(thing) := [$"{thing.at}.{field}[{index}] is {type_name(member)}, not {want}" |
	is_object(thing.value)
	some field, list in thing.value
	fields[thing.kind][field] == "array"
	is_array(list)
	want := members[field]
	some index, member in list
	type_name(member) != want
]
