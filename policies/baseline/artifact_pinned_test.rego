package interlock.baseline.artifact_pinned_test

import data.interlock.baseline.artifact_pinned as gate
import data.interlock.lib.sample_test as sample

with_reference(reference) := sample.patched([
	{"op": "replace", "path": "/images/0/reference", "value": reference},
	{"op": "replace", "path": "/pods/0/spec/containers/0/image", "value": reference},
])

test_digest_passes if {
	sample.by_term(gate.pass) == {"": "images named by digest: 1"} with input as sample.dossier
	count(union({gate.deny, gate.unknown, gate.skip})) == 0 with input as sample.dossier
}

test_tag_with_digest_passes if {
	sample.terms(gate.pass) == {""} with input as with_reference($"nginx:1.27@{sample.digest}")
}

test_everything_else_is_denied if {
	short := substring(sample.digest, 0, 70)
	some_upper := upper(sample.digest)
	every reference in [
		"nginx", "nginx:1.27", "host:5000/nginx", $"nginx@{short}", $"nginx@{some_upper}", $"nginx@{sample.digest}0",
		"nginx@sha512:00", $"@{sample.digest}", $"a b@{sample.digest}", $"nginx@{sample.digest}@{sample.digest}",
	] {
		sample.terms(gate.deny) == {"app"} with input as with_reference(reference)
		count(gate.pass) == 0 with input as with_reference(reference)
	}
}

test_message_says_what_to_do if {
	sample.by_term(gate.deny).app == concat("", [
		"image nginx:1.27 of container app is named by tag, which can move; ",
		"append @sha256:<digest>",
	]) with input as with_reference("nginx:1.27")
	contains(sample.by_term(gate.deny).app, "64 hex digits") with input as with_reference("nginx@sha256:12")
}

test_one_name_in_two_pods_is_told_apart_by_path if {
	second := {"path": "spec.other.containers[0].image", "container": "app", "reference": "b:1", "digest": null}
	dossier := json.patch(with_reference("a:1"), [{"op": "add", "path": "/images/-", "value": second}])
	sample.terms(gate.deny) == {
		"spec.other.containers[0].image",
		"spec.template.spec.containers[0].image",
	} with input as dossier
}

test_runtime_choice_is_unknown if {
	found := sample.by_term(gate.unknown) with input as sample.served
	contains(found["kserve-container"], "chosen by its ServingRuntime")
	count(gate.pass | gate.deny) == 0 with input as sample.served
}

test_other_choosers_are_named if {
	elsewhere := sample.by_term(gate.unknown) with input as sample.referring
	startswith(elsewhere["spec.workloadRef"], "the image of spec.workloadRef is chosen by the Deployment cart, which")
	workers := sample.by_term(gate.unknown) with input as sample.spread
	object.keys(workers) == {"kserve-container", "spec.predictor.workerSpec.containers"}
}

test_no_images_is_skipped if {
	sample.by_term(gate.skip) == {"": "HTTPRoute shop/cart runs no image"} with input as sample.route
	count(gate.pass) == 0 with input as sample.route
}

test_container_without_an_image_is_unknown if {
	other := [{"path": "p", "container": "app", "reference": $"other@{sample.digest}", "digest": sample.digest}]
	message := "the dossier lists no image for app; gather it again"
	every images in [[], other] {
		dossier := sample.patched([{"op": "replace", "path": "/images", "value": images}])
		sample.by_term(gate.unknown) == {"images": message} with input as dossier
		count(gate.pass | gate.skip) == 0 with input as dossier
	}
}

test_empty_image_is_unknown if {
	dossier := json.patch(with_reference(""), [{"op": "replace", "path": "/images/0/reference", "value": null}])
	sample.terms(gate.unknown) == {"app"} with input as dossier
	count(gate.pass | gate.deny) == 0 with input as dossier
}

test_wrong_shapes_are_unknown if {
	every images in ["x", null, {}, [1], [{"path": "p"}, "x"], [{"path": "p", "reference": 3}]] {
		dossier := sample.patched([{"op": "replace", "path": "/images", "value": images}])
		sample.terms(gate.unknown) & {"images"} == {"images"} with input as dossier
		count(gate.pass | gate.skip) == 0 with input as dossier
	}
	sample.terms(gate.unknown) == {"images"} with input as {}
}

signed_by(signature) := sample.patched([{"op": "add", "path": "/images/0/signature", "value": signature}])

tagged_and(signature) := json.patch(with_reference("nginx:1.27"), [{
	"op": "add",
	"path": "/images/0/signature",
	"value": signature,
}])

unsigned := {"state": "rejected", "digest": sample.digest, "reason": "Unsigned", "message": "no signature was found"}

down := {"state": "unavailable", "reason": "RegistryUnavailable", "message": "the registry did not answer"}

verified := {"state": "verified", "digest": sample.digest, "signers": ["release"]}

test_nobody_has_to_sign_and_says_what_it_said_before if {
	sample.by_term(gate.pass) == {"": "images named by digest: 1"} with input as signed_by({"state": "notRequired"})
}

test_verified_passes if {
	said := sample.by_term(gate.pass) with input as signed_by(verified)
	said == {"": "images named by digest: 1, signed as the track demands: 1"}
	count(union({gate.deny, gate.unknown, gate.skip})) == 0 with input as signed_by(verified)
}

test_rejected_is_denied_with_its_reason if {
	said := sample.by_term(gate.deny) with input as signed_by(unsigned)
	said == {"app": "the image of container app is not signed as the track demands (Unsigned): no signature was found"}
	count(union({gate.pass, gate.unknown, gate.skip})) == 0 with input as signed_by(unsigned)
}

test_unavailable_is_unknown_with_its_reason if {
	dossier := signed_by(down)
	sample.reasons(gate.unknown) == {"RegistryUnavailable"} with input as dossier
	sample.by_term(gate.unknown) == {"app": concat("", [
		"the signatures over the image of container app are not known (RegistryUnavailable): ",
		"the registry did not answer",
	])} with input as dossier
	count(union({gate.pass, gate.deny, gate.skip})) == 0 with input as dossier
	odd := signed_by(object.union(down, {"reason": "no word"}))
	sample.reasons(gate.unknown) == {""} with input as odd
}

test_tag_is_denied_whatever_its_signature_with_what_to_write if {
	write := $"container app names its image by tag, which can move; write nginx:1.27@{sample.digest}"
	sample.by_term(gate.deny) == {"app": write} with input as tagged_and(verified)
	short := "; nor is it signed as the track demands (Unsigned)"
	sample.by_term(gate.deny) == {"app": concat("", [write, short])} with input as tagged_and(unsigned)
	plain := "image nginx:1.27 of container app is named by tag, which can move; append @sha256:<digest>"
	sample.by_term(gate.deny) == {"app": plain} with input as tagged_and(down)
	gone := {"state": "rejected", "reason": "NotFound", "message": "there is no such image"}
	endswith(sample.by_term(gate.deny).app, "nor is it signed as the track demands (NotFound)") with input as tagged_and(gone)
	every signature in [verified, unsigned, down, gone] {
		count(gate.unknown | gate.pass) == 0 with input as tagged_and(signature)
	}
}

test_unclear_signatures_are_unknown if {
	other := "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	every signature in [
		null, "verified", {}, [], {"state": "trusted"}, {"state": "verified"}, {"state": "rejected"}, {"state": "unavailable"},
		{"state": "verified", "digest": sample.digest}, {"state": "verified", "digest": "sha256:1", "signers": []},
		{"state": "verified", "digest": other, "signers": ["release"]}, {"state": "unavailable", "reason": 1, "message": ""},
	] {
		dossier := signed_by(signature)
		startswith(sample.by_term(gate.unknown).app, "the dossier does not say what is known of the signatures") with input as dossier
		count(union({gate.pass, gate.deny, gate.skip})) == 0 with input as dossier
	}
}
