# A gate that wants every image evaluated, by somebody who counts, as good enough.
package evaluation

catalogue := {"E-01": {
	"title": "Every image is evaluated",
	"why": "A story asks for it",
	"severity": "high",
	"remediation": "Attest an evaluation",
	"absent": "pending",
}}

type := "https://example.com/evaluation/v1"

decision := {"pass": passing, "deny": denying, "pending": waiting, "unknown": unknown}

of(image) := [found | some found in image.attestations; found.predicateType == type][0]

passing contains finding(image, sprintf("%v by %v", [one.predicate.auc, concat(", ", one.signers)]), [one.evidence]) if {
	some image in input.images
	some one in of(image).items
	one.predicate.auc >= 0.8
}

denying contains finding(image, sprintf("only %v", [one.predicate.auc]), [one.evidence]) if {
	some image in input.images
	some one in of(image).items
	one.predicate.auc < 0.8
}

waiting contains finding(image, sprintf("no evaluation yet, %v refused", [reasons]), []) if {
	some image in input.images
	found := of(image)
	found.state == "complete"
	count(found.items) == 0
	reasons := concat(", ", sort({one.reason | some one in object.get(found, "refused", [])}))
}

unknown contains finding(image, of(image).reason, []) if {
	some image in input.images
	of(image).state == "unavailable"
}

finding(image, text, evidence) := {"gate": "E-01", "term": image.container, "msg": text, "evidence": evidence}
