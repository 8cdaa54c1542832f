# METADATA
# title: How a gate speaks
# description: The shape of one finding and of one catalogue entry.
package interlock.lib.report

# A finding. The term is what is complained about, so that a waiver can name it; "" is the gate as a whole.
finding(gate, term, msg) := {"gate": gate, "term": term, "msg": msg, "evidence": []}

# The same with a CamelCase word for machines, which the verdict takes over; "" says nothing.
because(said, reason) := object.union(said, {"reason": reason})

# A catalogue entry out of rego.metadata.chain(), called inside the gate's own package.
entry(chain) := object.union(
	{"title": annotations.title, "why": annotations.description},
	annotations.custom,
) if {
	annotations := [link.annotations | some link in chain; link.annotations.custom.id][0]
}

# How a value of the object is written in a message: the same words in OPA and under WebAssembly. Therefore not
# json.marshal, where only Go escapes <, > and &, and not format_int, which aborts on large numbers under WebAssembly.
show(value) := concat("", [`"`, value, `"`]) if is_string(value)

show(value) := $"{value}" if is_number(value)

show(true) := "true"

show(false) := "false"

show(null) := "null"

show(value) := "a list" if is_array(value)

show(value) := "an object" if is_object(value)
