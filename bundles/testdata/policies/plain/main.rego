# A deny list as conftest users write it: plain messages, no catalogue.
package main

deny contains msg if {
	input.kind == "Deployment"
	not input.spec.template.spec.securityContext.runAsNonRoot
	msg := "containers must not run as root"
}

deny contains {"msg": sprintf("replicas are %v", [input.spec.replicas])} if input.spec.replicas < 2

warn contains "no owner" if not input.metadata.labels.owner
