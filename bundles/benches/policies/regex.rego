# What takes a host function or a regular expression: names, images, labels and quantities.
# METADATA
# entrypoint: true
package regex.decision

containers contains container if some container in input.object.spec.template.spec.containers

deny contains sprintf("container %s: image %q is not from a known registry", [container.name, container.image]) if {
	some container in containers
	not regex.match(`^(registry|ghcr)\.[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$`, container.image)
}

deny contains sprintf("container %s: the name is no label", [container.name]) if {
	some container in containers
	not regex.match(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`, container.name)
}

deny contains sprintf("label %s: %v", [key, value]) if {
	some key, value in input.object.metadata.labels
	not regex.match(`^(([a-z0-9-]+\.)+[a-z]{2,}/)?[A-Za-z0-9][-A-Za-z0-9_.]*$`, key)
}

deny contains sprintf("container %s: variable %s", [container.name, variable.name]) if {
	some container in containers
	some variable in container.env
	regex.match(`(?i)(password|secret|token|api_?key)$`, variable.name)
	not variable.valueFrom
}

deny contains sprintf("container %s: %v bytes", [container.name, bytes]) if {
	some container in containers
	bytes := units.parse_bytes(container.resources.limits.memory)
	bytes > 68719476736
}

deny contains sprintf("annotation %s", [key]) if {
	some key, value in input.object.metadata.annotations
	regex.match(`^https?://[^/]+:(80|8080)/`, value)
}
