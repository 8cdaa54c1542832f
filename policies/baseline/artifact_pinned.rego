# METADATA
# title: Artifacts are pinned by digest and signed as the track asks
# description: >-
#   A tag is a name that its owner can point elsewhere after everything about the image was checked; a digest names the
#   bytes. Only an image named by digest can be verified once and still be the same image when it runs. A signature says
#   who vouches for those bytes; it is asked for where the track names signers of images.
# custom:
#   id: C-01
#   severity: high
#   controls: ["slsa:build-l1", "slsa:build-l2", "soc2:cc8.1", "eu-ai-act:art15", "nist-ai-rmf:measure-2.7"]
#   remediation: >-
#     Append @sha256:<digest> to every image reference, as "crane digest IMAGE" or your build prints it; let Renovate or
#     the pipeline keep it up to date. Have a signer whom the track names sign that digest with cosign.
#   absent: deny
package interlock.baseline.artifact_pinned

import data.interlock.lib.report
import data.interlock.lib.signature
import data.interlock.lib.workload

about := report.entry(rego.metadata.chain())

deny contains finding(term(image), msg) if {
	some image in images
	is_string(image.reference)
	not pinned(image.reference)
	msg := concat("", [fault(image), signature.beside(image)])
}

deny contains finding(term(image), msg) if {
	some image in images
	pinned(image.reference)
	signature.state(image) == "rejected"
	msg := $"the image of {owner(image)} {signature.rejection(image)}"
}

# An image named by tag is denied, whoever signed it.
unknown contains report.because(finding(term(image), msg), signature.reason(image)) if {
	some image in images
	pinned(image.reference)
	signature.state(image) == "unavailable"
	msg := $"the signatures over the image of {owner(image)} {signature.gap(image)}"
}

unknown contains finding(term(image), msg) if {
	some image in images
	pinned(image.reference)
	unclear(image)
	msg := $"the dossier does not say what is known of the signatures over the image of {owner(image)}; gather it again"
}

unknown contains finding(term(image), msg) if {
	some image in images
	object.get(image, "reference", null) == null
	chooser := chosen_by(image)
	msg := concat("", [
		$"the image of {owner(image)} is chosen by {chooser}, which this dossier does not hold; ",
		"name the image by digest in the object itself to have it judged",
	])
}

unknown contains finding("images", msg) if {
	not readable
	msg := "the dossier's images are not a list of {path, container, reference}; gather it again"
}

# The dossier promises every image; a container without one contradicts it.
unknown contains finding("images", msg) if {
	readable
	unlisted := sort([container.term | some container in workload.containers; not listed(container)])
	count(unlisted) > 0
	msg := $"the dossier lists no image for {concat(", ", unlisted)}; gather it again"
}

unknown contains finding("images", workload.opaque) if readable

skip contains finding("", $"{workload.subject} runs no image") if {
	readable
	not workload.opaque
	count(images) == 0
	count(workload.containers) == 0
}

pass contains finding("", $"images named by digest: {count(images)}{signed}") if {
	count(union({deny, unknown, skip})) == 0
}

signed := $", signed as the track demands: {count(verified)}" if {
	count(verified) > 0
} else := ""

verified := [image | some image in images; signature.state(image) == "verified"]

unclear(image) if signature.state(image) == "unreadable"

unclear(image) if signature.astray(image, image.reference)

# Images of the right shape.
images := [image | some image in listed_images; well_formed(image)]

default listed_images := []

listed_images := input.images if is_array(input.images)

readable if {
	is_array(input.images)
	every image in input.images { well_formed(image) }
}

well_formed(image) if {
	is_string(image.path)
	is_string(object.get(image, "container", ""))
	type_name(object.get(image, "reference", null)) in ["string", "null"]
}

listed(container) if {
	some image in images
	object.get(image, "reference", null) == named_image(container.spec)
}

# An empty reference is none.
named_image(spec) := spec.image if {
	spec.image != ""
} else := null

pinned(reference) if regex.match(`^[^@\s]+@sha256:[0-9a-f]{64}$`, reference)

fault(image) := concat("", [
	$"image {image.reference} of {owner(image)} has no well-formed sha256 digest; ",
	"name it as NAME@sha256:<64 hex digits>",
]) if {
	contains(image.reference, "@")
} else := $"{owner(image)} names its image by tag, which can move; write {image.reference}@{digest}" if {
	digest := signature.digest(image)
} else := $"image {image.reference} of {owner(image)} is named by tag, which can move; append @sha256:<digest>"

owner(image) := $"container {container_of(image)}" if {
	container_of(image)
} else := $"{image.path}"

container_of(image) := image.container if {
	is_string(image.container)
	image.container != ""
}

# The container, or its path where several have that name.
term(image) := image.container if {
	container_of(image)
	count([1 | some other in images; other.container == image.container]) == 1
} else := $"{image.path}"

chosen_by(image) := $"its {image.chosenBy}" if {
	image.chosenBy == "ServingRuntime"
} else := $"the {image.chosenBy}" if {
	is_string(image.chosenBy)
} else := "another object"

finding(term, msg) := report.finding(about.id, term, msg)
