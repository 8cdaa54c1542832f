# METADATA
# title: Related objects of a dossier
# description: >-
#   input.related.<name> is complete, with items, or unavailable, with a reason. Only a complete source can prove that
#   something is absent; any other shape is a gap, and the gate that needs the source answers unknown.
package interlock.lib.source

items(name) := list if {
	source := object.get(input, ["related", name], null)
	source.state == "complete"
	list := source.items
	is_array(list)
	every item in list { is_object(item) }
}

default gap(_) := "the dossier holds no such list; gather it again"

# Why the source could not be asked, in its own word.
default reason(_) := ""

reason(name) := word if {
	source := object.get(input, ["related", name], null)
	source.state == "unavailable"
	word := source.reason
	is_string(word)
	regex.match(`^[A-Za-z]{1,64}$`, word)
}

gap(name) := $"{name} could not be asked ({reason}): {message}" if {
	source := object.get(input, ["related", name], null)
	source.state == "unavailable"
	reason := object.get(source, "reason", "no reason given")
	message := object.get(source, "message", "no message given")
} else := $"{name} is neither complete nor unavailable in this dossier; gather it again" if {
	not items(name)
}
