# The least a policy can say.
# METADATA
# entrypoint: true
package tiny.decision

default allow := false

allow if input.object.metadata.namespace == "production"
