# METADATA
# title: Pods and containers of a dossier
# description: >-
#   Every container of every pod template in one array, whatever list it stands in, so that a gate need not know the
#   kinds. Arrays, because they evaluate about twice as fast as sets under WebAssembly.
package interlock.lib.workload

import data.interlock.lib.report

# The workload in words.
subject := $"{word("kind")} {word("namespace")}/{word("name")}"

word(field) := input.subject[field] if {
	is_string(input.subject[field])
} else := report.show(object.get(input, ["subject", field], null))

# Why a gate about pods does not apply.
without_pods := $"{subject} has no pod template" if {
	is_array(input.pods)
	count(input.pods) == 0
	not elsewhere
	not opaque
}

# Why nothing can be said of an object in which no pod template was found: it runs something all the same. A kind that
# holds its pods in a way of its own must not read as one that has none.
opaque := $"no pod template was found in {subject}, which runs pods by its kind; correct its pod template" if {
	without_template
	input.subject.kind in running[group]
} else := $"no pod template was found in {subject}, but {concat(", ", hints)}; this bundle cannot judge such a kind" if {
	without_template
	count(hints) > 0
}

without_template if {
	is_array(input.pods)
	count(input.pods) == 0
	not elsewhere
}

group := split(input.subject.apiVersion, "/")[0] if {
	contains(input.subject.apiVersion, "/")
} else := ""

# Kinds whose objects always run pods, by group.
running := {
	"": ["Pod", "ReplicationController"],
	"apps": ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"],
	"batch": ["Job", "CronJob"],
	"argoproj.io": ["Rollout", "Workflow", "WorkflowTemplate", "CronWorkflow"],
	"serving.kserve.io": ["InferenceService", "LLMInferenceService", "InferenceGraph"],
	"serving.knative.dev": ["Service", "Configuration", "Revision"],
	"sparkoperator.k8s.io": ["SparkApplication", "ScheduledSparkApplication"],
}

# Where the object names what only something that runs has.
hints := sort({$"it has {concat(".", array.concat([part], path))}" |
	some part, whole in input.object
	part != "metadata"
	walk(whole, [steps, value])
	value != null
	path := [$"{step}" | some step in steps]
	count(path) > 0
	path[count(path) - 1] in telling
})

telling := [
	"image", "container", "containers", "initContainers", "ephemeralContainers", "podSpec", "podTemplate",
	"podTemplateSpec", "podSpecTemplate",
]

# The object that holds the pod template instead, as a Rollout's workloadRef names it.
elsewhere := concat(" ", [named_by(reference, "kind"), named_by(reference, "name")]) if {
	is_array(input.pods)
	count(input.pods) == 0
	reference := input.object.spec.workloadRef
	is_object(reference)
}

named_by(reference, field) := reference[field] if {
	is_string(reference[field])
} else := "?"

# Pod templates of the right shape; data.interlock.lib.shape says what is wrong with the others.
pods := [pod |
	is_array(input.pods)
	some pod in input.pods
	is_object(pod)
	is_string(pod.path)
	is_object(pod.spec)
]

# Each container once:
#   name, list     as in the object
#   term           what a waiver names: the container, with its pod template in front where there are several
#   pod            its pod template
#   spec, security the container and its securityContext
#   completed      another object adds to this container (a KServe model, completed by its ServingRuntime)
#
# A pod that says completedBy may get more containers from there.
containers := [container |
	some pod in pods
	some container in array.concat(listed(pod), served(pod))
]

listed(pod) := [container |
	some list in ["initContainers", "containers", "ephemeralContainers"]
	is_array(pod.spec[list])
	some index, spec in pod.spec[list]
	is_object(spec)
	container := record(pod, list, spec, named(spec, $"{list}[{index}]"), completes(pod))
]

default completes(_) := false

completes(pod) if is_string(pod.completedBy)

# KServe lets a predictor name a model framework instead of a container; the field is a container all the same.
served(pod) := [container |
	some framework, completed in frameworks
	spec := pod.spec[framework]
	is_object(spec)
	container := record(pod, framework, spec, named(spec, "kserve-container"), completed)
]

# Whether a ServingRuntime completes it. An explainer's container gets an image from elsewhere, and nothing more.
frameworks := {
	"model": true, "huggingface": true, "lightgbm": true, "onnx": true, "paddle": true, "pmml": true, "pytorch": true,
	"sklearn": true, "tensorflow": true, "triton": true, "xgboost": true, "art": false,
}

record(pod, list, spec, name, completed) := {
	"name": name,
	"list": list,
	"term": $"{prefix(pod)}{name}",
	"pod": pod,
	"spec": spec,
	"security": section(spec, "securityContext"),
	"completed": completed,
}

# A container or volume without a name, which only a file can hold, is called by its place.
named(spec, fallback) := spec.name if {
	is_string(spec.name)
	spec.name != ""
} else := fallback

# What stands before a term where the dossier holds several pod templates.
prefix(pod) := $"{place(pod)}/" if count(pods) > 1

prefix(_) := "" if count(pods) < 2

# A pod template in words; that of a bare Pod is called pod.
place(pod) := pod.path

# A field that is an object, or an empty one.
section(object, field) := object[field] if {
	is_object(object[field])
} else := {}
