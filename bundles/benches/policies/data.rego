# A look-up in three megabytes of data: the owners of images.
# METADATA
# entrypoint: true
package data_heavy.decision

deny contains sprintf("container %s: nobody owns %s", [container.name, container.image]) if {
	some container in input.object.spec.template.spec.containers
	not data.owners[container.image]
}

deny contains sprintf("namespace %s is frozen", [namespace]) if {
	namespace := input.object.metadata.namespace
	data.namespaces[namespace].frozen
}
