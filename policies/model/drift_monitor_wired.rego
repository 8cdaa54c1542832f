# METADATA
# title: A drift monitor watches the model
# description: >-
#   A model decays silently: its answers stay well-formed while the world moves away from what it learned. An alert over
#   drift metrics only helps if every link from the exporter to the rule is whole, and a renamed series or label breaks
#   it without anybody noticing.
# custom:
#   id: M-14
#   severity: high
#   controls: ["eu-ai-act:art72", "nist-ai-rmf:manage-4.1", "nist-ai-rmf:measure-2.4", "sr:26-2"]
#   remediation: >-
#     Mend the first link that does not hold, as its message says; the condition DriftMonitorWired of the Release names it.
#   absent: deny
#   phase: operation
package interlock.model.drift_monitor_wired

import data.interlock.lib.report

about := report.entry(rego.metadata.chain())

# Data flows from link to link, so those after a broken one say nothing of their own.
deny contains finding(broken[0].name, msg) if {
	count(broken) > 0
	msg := said(broken[0])
}

unknown contains report.because(finding(unclear[0].name, msg), word(unclear[0].reason)) if {
	count(broken) == 0
	count(unclear) > 0
	msg := said(unclear[0])
}

unknown contains report.because(finding("", msg), word(monitor.reason)) if {
	unavailable
	msg := $"the drift monitor could not be asked ({monitor.reason}): {monitor.message}"
}

unknown contains finding("", msg) if {
	not readable
	msg := "the dossier does not say how the workload's drift monitor is wired; gather it again"
}

skip contains finding("", "the track asks for no drift monitor") if unasked

pass contains finding("", $"every link to the alert holds: {concat(", ", names)}") if {
	count(union({deny, unknown, skip})) == 0
}

# Absent if the track asks for none.
monitor := object.get(input, "driftMonitor", {"state": "notRequired"})

links := monitor.links if wired

default links := []

broken := [link | some link in links; link.holds == "False"]

unclear := [link | some link in links; link.holds == "Unknown"]

names := [link.name | some link in links]

readable if unasked

readable if unavailable

readable if wired

unasked if {
	is_object(input.subject)
	monitor.state == "notRequired"
}

unavailable if {
	monitor.state == "unavailable"
	is_string(monitor.reason)
	is_string(monitor.message)
}

wired if {
	monitor.state == "complete"
	is_array(monitor.links)
	count(monitor.links) > 0
	every link in monitor.links {
		every field in ["name", "reason", "message"] { is_string(link[field]) }
		link.holds in ["True", "False", "Unknown"]
	}
}

said(link) := $"{link.message} ({link.reason})"

# A reason is taken over only if machines can read it.
word(reason) := reason if {
	regex.match(`^[A-Za-z]{1,64}$`, reason)
} else := ""

finding(term, msg) := report.finding(about.id, term, msg)
