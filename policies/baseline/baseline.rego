# METADATA
# title: Interlock baseline
# description: >-
#   The gates every workload meets, whatever its track: what the object and its relations in the cluster can show. Input
#   is a dossier; decision holds what each gate says about it, catalogue what the gates are.
package interlock.baseline

import data.interlock.baseline.artifact_pinned
import data.interlock.baseline.least_privilege_identity
import data.interlock.baseline.network_isolated
import data.interlock.baseline.pod_security_resources
import data.interlock.baseline.secrets_by_reference

# METADATA
# title: What the gates say
# description: Six sets of {gate, term, msg, evidence}; per gate and term the strongest counts.
# entrypoint: true
decision := {
	"deny": union({
		artifact_pinned.deny,
		pod_security_resources.deny,
		least_privilege_identity.deny,
		network_isolated.deny,
		secrets_by_reference.deny,
	}),
	"unknown": union({
		artifact_pinned.unknown,
		pod_security_resources.unknown,
		least_privilege_identity.unknown,
		network_isolated.unknown,
		secrets_by_reference.unknown,
	}),
	"pending": set(),
	"warn": network_isolated.warn,
	"pass": union({
		artifact_pinned.pass,
		pod_security_resources.pass,
		least_privilege_identity.pass,
		network_isolated.pass,
		secrets_by_reference.pass,
	}),
	"skip": union({
		artifact_pinned.skip,
		pod_security_resources.skip,
		least_privilege_identity.skip,
		network_isolated.skip,
		secrets_by_reference.skip,
	}),
}

# METADATA
# title: What the gates are
# description: Gate id to title, why, severity, controls, remediation and what absent evidence means.
# entrypoint: true
catalogue := {entry.id: object.remove(entry, ["id"]) |
	some entry in [
		artifact_pinned.about,
		pod_security_resources.about,
		least_privilege_identity.about,
		network_isolated.about,
		secrets_by_reference.about,
	]
}
