package interlock.model.model_pinned_signed_test

import data.interlock.lib.sample_test as sample
import data.interlock.model
import data.interlock.model.model_pinned_signed as gate

path := sample.model.path

# The sample with another model.
with_model(changes) := json.patch(sample.inference, [{
	"op": "replace",
	"path": "/models/0",
	"value": object.union(object.remove(sample.model, object.keys(changes)), changes),
}])

# The same without what is known of its signatures.
bare(changes) := json.patch(with_model(changes), [{"op": "remove", "path": "/models/0/signature"}])

# A model that no registry holds.
stored(uri, location) := json.patch(sample.inference, [{
	"op": "replace",
	"path": "/models/0",
	"value": {"path": path, "uri": uri, "location": location},
}])

without_models := json.patch(sample.inference, [{"op": "remove", "path": "/models"}])

unsigned := {"state": "rejected", "digest": sample.digest, "reason": "Unsigned", "message": "no signature was found"}

down := {"state": "unavailable", "reason": "RegistryUnavailable", "message": "the registry did not answer"}

tag := {
	"uri": "oci://r.example/iris:1", "location": "Mutable", "reference": "r.example/iris:1", "digest": null,
	"signature": {"state": "verified", "digest": sample.digest, "signers": ["ml"]},
}

# The gate says this and nothing else.
only(kind, dossier) if {
	decision := model.decision with input as dossier
	{said | some said, findings in decision; some finding in findings; finding.gate == "M-01"} == {kind}
}

test_pinned_and_signed_passes if {
	only("pass", sample.inference)
	found := sample.by_term(gate.pass) with input as sample.inference
	found == {"": "models named by digest and signed as the track demands: 1"}
}

test_tag_is_denied_with_what_to_write if {
	only("deny", with_model(tag))
	found := sample.by_term(gate.deny) with input as with_model(tag)
	found[path] == $"the model at {path} is named by tag, which can move; write oci://r.example/iris:1@{sample.digest}"
	unknown := sample.by_term(gate.deny) with input as bare(tag)
	endswith(unknown[path], "is named by tag, which can move: oci://r.example/iris:1; append @sha256:<digest>")
	both := sample.by_term(gate.deny) with input as with_model(object.union(tag, {"signature": unsigned}))
	endswith(both[path], $"@{sample.digest}; nor is it signed as the track demands (Unsigned)")
	only("deny", with_model(object.union(tag, {"signature": down})))
}

test_every_mutable_place_is_denied_with_what_would_pin_it if {
	bucket := "push it as an OCI artifact and write oci://NAME@sha256:<digest>"
	every uri, want in {
		"gs://bucket/iris": bucket,
		"s3://bucket/iris": bucket,
		"pvc://claim/iris": bucket,
		"https://example.com/iris": bucket,
		"storage:minio/iris": bucket,
		"/mnt/models": bucket,
		"hf://org/iris": "append :<the 40 hex digits of a commit>",
		"hf://org/iris:main": "write the 40 hex digits of one after the colon",
	} {
		only("deny", stored(uri, "Mutable"))
		found := sample.by_term(gate.deny) with input as stored(uri, "Mutable")
		contains(found[path], uri)
		endswith(found[path], want)
	}
}

test_what_cannot_be_signed_is_not_told_that_it_is_not if {
	rejected := {"state": "rejected", "reason": "MutableLocation", "message": "nobody can sign it"}
	dossier := json.patch(stored("gs://b/m", "Mutable"), [{"op": "add", "path": "/models/0/signature", "value": rejected}])
	only("deny", dossier)
	found := sample.by_term(gate.deny) with input as dossier
	endswith(found[path], "write oci://NAME@sha256:<digest>")
}

test_rejected_is_denied if {
	every location in ["Pinned", "Unsupported"] {
		dossier := with_model({"signature": unsigned, "location": location})
		only("deny", dossier)
		found := sample.by_term(gate.deny) with input as dossier
		endswith(found[path], "is not signed as the track demands (Unsigned): no signature was found")
	}
}

test_unavailable_is_unknown_with_its_reason if {
	only("unknown", with_model({"signature": down}))
	sample.reasons(gate.unknown) == {"RegistryUnavailable"} with input as with_model({"signature": down})
}

test_nobody_may_sign_is_unknown if {
	only("unknown", bare({}))
	found := sample.by_term(gate.unknown) with input as bare({})
	found[path] == "the track names nobody who may sign models: set spec.signedBy.models"
	sample.reasons(gate.unknown) == {null} with input as bare({})
}

test_without_a_track_the_cluster_is_needed if {
	dossier := object.union(bare({}), {"track": ""})
	only("unknown", dossier)
	sample.reasons(gate.unknown) == {"NeedsCluster"} with input as dossier
}

test_a_commit_pins_and_cannot_be_verified if {
	dossier := stored("hf://org/iris:0123456789abcdef0123456789abcdef01234567", "Pinned")
	only("unknown", dossier)
	found := sample.by_term(gate.unknown) with input as dossier
	contains(found[path], "only signatures over OCI artifacts are read")
}

test_a_name_that_cannot_be_read_is_unknown if {
	only("unknown", stored("git://x/y", "Unsupported"))
	found := sample.by_term(gate.unknown) with input as stored("", "Unsupported")
	startswith(found[path], $"the model at {path} is named \"\", which cannot be read")
}

test_unclear_signatures_are_unknown if {
	other := "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	every signature in [
		null, "verified", {"state": "trusted"}, {"state": "verified"}, {"state": "rejected"},
		{"state": "verified", "digest": other, "signers": ["ml"]},
	] {
		only("unknown", with_model({"signature": signature}))
	}
}

test_every_model_has_its_own_word if {
	second := object.union(sample.model, object.union(tag, {"path": "spec.volumes[0].image.reference"}))
	dossier := json.patch(sample.inference, [{"op": "add", "path": "/models/-", "value": second}])
	only("deny", dossier)
	sample.terms(gate.deny) == {"spec.volumes[0].image.reference"} with input as dossier
}

test_a_workload_that_serves_no_model_is_skipped if {
	only("skip", sample.dossier)
	only("skip", sample.route)
}

test_a_model_in_any_kind_is_judged if {
	dossier := object.union(sample.dossier, {"models": [object.union(sample.model, tag)]})
	only("deny", dossier)
}

test_an_inference_service_without_a_model_is_unknown if {
	only("unknown", without_models)
	found := sample.by_term(gate.unknown) with input as without_models
	startswith(found.models, "InferenceService shop/iris names no model")
}

test_the_image_may_hold_the_model if {
	only("skip", sample.with_parameters(without_models, {"modelInImage": true}))
	only("unknown", sample.with_parameters(without_models, {"modelInImage": false}))
	only("unknown", sample.with_parameters(without_models, {"modelInImage": "yes"}))
	only("unknown", sample.with_parameters(sample.inference, {"modelInImage": 1}))
	only("deny", sample.with_parameters(stored("gs://b/m", "Mutable"), {"modelInImage": true}))
	only("skip", sample.with_parameters(sample.dossier, {"modelInImage": 1}))
}

test_wrong_shapes_are_unknown if {
	every models in ["x", null, {}, 1, [1], [{}], [{"path": "p", "uri": 1, "location": "Pinned"}], [{"path": "p", "uri": "u"}]] {
		only("unknown", object.union(sample.inference, {"models": models}))
		only("unknown", object.union(sample.dossier, {"models": models}))
	}
	only("unknown", {})
	only("unknown", json.patch(sample.inference, [{"op": "remove", "path": "/subject/kind"}]))
}
