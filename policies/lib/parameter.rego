# METADATA
# title: The track's parameters
# description: >-
#   A parameter that is absent or null has its default. One that has a wrong value decides nothing: problem names it,
#   and the gate that reads it answers unknown.
package interlock.lib.parameter

import data.interlock.lib.report

value(name, fallback) := given if {
	given := object.get(input, ["parameters", name], null)
	given != null
} else := fallback

# One of a few words.
choice_problem(name, fallback, choices) := msg if {
	given := value(name, fallback)
	not given in choices
	msg := $"parameter {name} is {report.show(given)}; it must be one of {concat(", ", choices)}: correct it in the track"
}

flag_problem(name) := msg if {
	given := value(name, false)
	not is_boolean(given)
	msg := $"parameter {name} is {report.show(given)}; it must be true or false: correct it in the track"
}

names_problem(name) := msg if {
	given := value(name, [])
	not names(given)
	msg := $"parameter {name} is {report.show(given)}; it must be a list of names: correct it in the track"
}

names(list) if {
	is_array(list)
	every entry in list { is_string(entry) }
}
