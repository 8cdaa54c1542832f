# METADATA
# title: Kubernetes quantities
# description: What a container asks for, as far as a gate needs it, without a built-in of the host.
package interlock.lib.quantity

# A quantity above zero: a number, or a string such as "250m", "1.5Gi" or "1e3".
positive(quantity) if {
	is_number(quantity)
	quantity > 0
}

positive(quantity) if {
	is_string(quantity)
	regex.match(`^\+?[0-9]*\.?[0-9]+([KMGTPE]i?|[numk]|[eE][+-]?[0-9]+)?$`, quantity)
	regex.match(`^\+?[0.]*[1-9]`, quantity)
}
