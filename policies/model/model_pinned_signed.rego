# METADATA
# title: Models are pinned by digest and signed
# description: >-
#   A path in a bucket, a branch or a tag leads to whatever was put there last: what was evaluated and approved is then
#   not what serves, and whoever can write there decides what the service answers. A digest names the bytes, and a
#   signature says who vouches for them.
# custom:
#   id: M-01
#   severity: high
#   controls: ["eu-ai-act:art15", "slsa:build-l2", "nist-ai-rmf:measure-2.7", "soc2:cc6.8"]
#   remediation: >-
#     Push the model as an OCI artifact, have a signer whom the track names sign its digest with cosign, and name it as
#     oci://NAME@sha256:<digest>.
#   absent: deny
#   phase: admission
package interlock.model.model_pinned_signed

import data.interlock.lib.parameter
import data.interlock.lib.report
import data.interlock.lib.signature

about := report.entry(rego.metadata.chain())

deny contains finding(model.path, msg) if {
	some model in models
	model.location == "Mutable"
	msg := concat("", [$"the model at {model.path} ", fault(model), beside(model)])
}

deny contains finding(model.path, msg) if {
	some model in models
	model.location != "Mutable"
	signature.state(model) == "rejected"
	msg := $"the model at {model.path} {signature.rejection(model)}"
}

unknown contains finding(model.path, msg) if {
	some model in models
	model.location == "Unsupported"
	signature.state(model) != "rejected"
	msg := concat("", [
		$"the model at {model.path} is named {report.show(model.uri)}, which cannot be read as a place to fetch it from; ",
		"name it as oci://NAME@sha256:<digest>",
	])
}

# A model that no OCI registry holds.
unknown contains finding(model.path, msg) if {
	some model in models
	model.location == "Pinned"
	not is_string(object.get(model, "reference", null))
	signature.state(model) != "rejected"
	msg := concat("", [
		$"the model at {model.path} is pinned, but cannot be verified yet: only signatures over OCI artifacts are read; ",
		"push it as one and name it as oci://NAME@sha256:<digest>",
	])
}

unknown contains report.because(finding(model.path, msg), signature.reason(model)) if {
	some model in artifacts
	signature.state(model) == "unavailable"
	msg := $"the signatures over the model at {model.path} {signature.gap(model)}"
}

unknown contains report.because(finding(model.path, msg), "NeedsCluster") if {
	some model in artifacts
	signature.state(model) == "notRequired"
	not judged_by_track
	msg := $"who must sign the model at {model.path} is said by a track, and none was given"
}

unknown contains finding(model.path, msg) if {
	some model in artifacts
	signature.state(model) == "notRequired"
	judged_by_track
	msg := "the track names nobody who may sign models: set spec.signedBy.models"
}

unknown contains finding(model.path, msg) if {
	some model in artifacts
	unclear(model)
	msg := $"the dossier does not say what is known of the signatures over the model at {model.path}; gather it again"
}

unknown contains finding("models", msg) if {
	not readable
	msg := "the dossier's models are not a list of {path, uri, location}; gather it again"
}

unknown contains finding("models", msg) if {
	readable
	count(models) == 0
	serving
	not flagged
	msg := concat("", [
		$"{input.subject.kind} {input.subject.namespace}/{input.subject.name} names no model: name it in storageUri, or ",
		"set the parameter modelInImage if its image holds the model",
	])
}

unknown contains finding("parameters.modelInImage", parameter.flag_problem("modelInImage")) if {
	not skipped_by_kind
}

skip contains finding("", $"{input.subject.kind} is no kind that serves a model, and names none") if {
	skipped_by_kind
}

skip contains finding("", "names no model: the parameter modelInImage says that its image holds it, which C-01 judges") if {
	readable
	count(models) == 0
	serving
	flagged
}

pass contains finding("", $"models named by digest and signed as the track demands: {count(models)}") if {
	count(union({deny, unknown, skip})) == 0
}

# Models of the right shape; the field is absent if there are none.
models := [model | some model in listed_models; well_formed(model)]

default listed_models := []

listed_models := input.models if is_array(input.models)

# Pinned models in OCI registries.
artifacts := [model |
	some model in models
	model.location == "Pinned"
	is_string(model.reference)
]

# The subject and every model are as a dossier has them.
readable if {
	every field in ["apiVersion", "kind", "namespace", "name"] { is_string(input.subject[field]) }
	is_array(object.get(input, "models", []))
	every model in listed_models { well_formed(model) }
}

well_formed(model) if {
	is_string(model.path)
	is_string(model.uri)
	model.location in ["Pinned", "Mutable", "Unsupported"]
	type_name(object.get(model, "reference", null)) in ["string", "null"]
}

# Kinds whose objects always serve a model.
serving if {
	split(input.subject.apiVersion, "/")[0] == "serving.kserve.io"
	input.subject.kind in ["InferenceService", "LLMInferenceService", "TrainedModel"]
}

skipped_by_kind if {
	readable
	count(models) == 0
	not serving
}

flagged if parameter.value("modelInImage", false) == true

judged_by_track if input.track != ""

unclear(model) if signature.state(model) == "unreadable"

unclear(model) if signature.astray(model, model.reference)

# What is wrong with a name that can lead elsewhere, and what to write instead.
fault(model) := $"is named by tag, which can move; write {model.uri}@{digest}" if {
	is_string(model.reference)
	digest := signature.digest(model)
} else := $"is named by tag, which can move: {model.uri}; append @sha256:<digest>" if {
	is_string(model.reference)
} else := $"is named by no commit, so it can move: {model.uri}; append :<the 40 hex digits of a commit>" if {
	startswith(model.uri, "hf://")
	count(split(model.uri, ":")) == 2
} else := $"is named by no commit, so it can move: {model.uri}; write the 40 hex digits of one after the colon" if {
	startswith(model.uri, "hf://")
} else := concat("", [
	$"is whatever is stored at {model.uri} when it is fetched; ",
	"push it as an OCI artifact and write oci://NAME@sha256:<digest>",
])

# What no registry holds cannot be signed: to be told so as well helps nobody.
beside(model) := signature.beside(model) if {
	is_string(model.reference)
} else := ""

finding(term, msg) := report.finding(about.id, term, msg)
