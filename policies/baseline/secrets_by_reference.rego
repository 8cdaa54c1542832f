# METADATA
# title: Secrets come by reference
# description: >-
#   A credential written into a workload is readable by everyone who may read the object, stays in Git, in etcd history
#   and in every copy of the manifest, and cannot be rotated without a release.
# custom:
#   id: C-07
#   severity: critical
#   controls: ["cis-kubernetes:5.4", "soc2:cc6.1", "eu-ai-act:art15", "nist-ai-rmf:measure-2.7"]
#   remediation: >-
#     Rotate the credential, keep it in a Secret or an external store, and read it through valueFrom.secretKeyRef, envFrom
#     or a mounted volume; pass it to a command as $(NAME).
#   absent: deny
package interlock.baseline.secrets_by_reference

import data.interlock.lib.parameter
import data.interlock.lib.report
import data.interlock.lib.shape
import data.interlock.lib.workload

about := report.entry(rego.metadata.chain())

# No message here repeats a value: a verdict is read by more people than the object.
deny contains finding($"{container.term}/env/{name}", msg) if {
	some container in workload.containers
	some variable in container.spec.env
	name := object.get(variable, "name", "")
	not name in allowed_names
	why := env_fault(variable)
	msg := concat("", [
		$"container {container.name}: the value of {name} is a literal that {why}; ",
		"rotate it and use valueFrom.secretKeyRef",
	])
}

deny contains finding($"{container.term}/{list}[{index}]", msg) if {
	some container in workload.containers
	some list in ["command", "args"]
	some index, word in container.spec[list]
	why := word_fault(container.spec[list], index, word)
	msg := concat("", [
		$"container {container.name}: {list}[{index}] is a literal that {why}; ",
		"rotate it, read it into the environment through valueFrom.secretKeyRef and pass $(NAME)",
	])
}

unknown contains finding("pods", shape.unreadable)

unknown contains finding("parameters.allowedNames", parameter.names_problem("allowedNames")) if {
	not workload.without_pods
}

skip contains finding("", workload.without_pods)

pass contains finding("", $"{count(workload.containers)} containers, none with a literal secret in env, command or args") if {
	count(union({deny, unknown, skip})) == 0
}

default allowed_names := []

allowed_names := parameter.value("allowedNames", []) if not parameter.names_problem("allowedNames")

env_fault(variable) := $"looks like {kind(variable.value)}" if {
	kind(variable.value)
} else := "its name says is secret" if {
	says_secret(variable.name)
	literal(variable.value)
}

word_fault(_, _, word) := $"looks like {kind(word)}" if {
	kind(word)
} else := "its flag or variable says is secret" if {
	contains(word, "=")
	some found in regex.find_all_string_submatch_n(assignment, word, -1)
	says_secret(found[1])
	not found[1] in allowed_names
	literal(found[2])
}

word_fault(list, index, word) := "follows a flag that says it is secret" if {
	flag := list[index - 1]
	startswith(flag, "-")
	says_secret(flag)
	not flag in allowed_names
	not startswith(word, "-")
	literal(word)
	not kind(word)
}

# Names that end in one of these words, a number aside; MAX_TOKENS, SECRET_NAME and PASSWORD_FILE do not.
says_secret(name) if {
	plain := replace(replace(upper(trim_right(name, "0123456789_.-")), "-", "_"), ".", "_")
	some word in secret_words
	endswith(plain, word)
}

secret_words := [
	"PASSWORD", "TOKEN", "SECRET", "API_KEY", "APIKEY", "ACCESS_KEY", "ACCESSKEY", "SECRET_KEY", "SECRETKEY", "PRIVATE_KEY",
	"PRIVATEKEY", "SIGNING_KEY", "ENCRYPTION_KEY", "PASSWD", "_PWD", "_PASS", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS",
]

# name=value, in an argument or anywhere in a line of shell; says_secret decides about the name.
assignment := `([A-Za-z0-9_.-]+)=["']?([^\s"';&|]+)`

# A value of its own: not empty, no switch, no path of a mounted file, no reference to something else.
literal(value) if {
	is_string(value)
	not lower(trim_space(value)) in ["", "true", "false", "yes", "no", "on", "off"]
	not elsewhere(value)
}

elsewhere(value) if {
	some start in starts
	startswith(value, start)
}

starts := [
	"$", "<", "/app/", "/config/", "/credentials/", "/data/", "/etc/", "/home/", "/mnt/", "/opt/", "/root/", "/run/",
	"/secret/", "/secrets/", "/srv/", "/tmp/", "/usr/", "/var/", "/vault/", "/workspace/",
]

# Formats that are secret whatever they are called.
kind(value) := name if {
	is_string(value)
	long_enough(value)
	regex.match(any_format, value)
	name := [format.name | some format in formats; regex.match(format.pattern, value)][0]
}

# Most values are too short for any of them, and a regular expression costs more than everything else here.
long_enough(value) if count(value) >= 20

long_enough(value) if contains(value, "@")

formats := [
	{"name": "a private key", "pattern": `-----BEGIN [A-Z ]*PRIVATE KEY-----`},
	{"name": "an AWS access key", "pattern": `\b(AKIA|ASIA)[A-Z0-9]{16}\b`},
	{"name": "a GitHub token", "pattern": `\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})`},
	{"name": "a GitLab token", "pattern": `\bglpat-[A-Za-z0-9_-]{20}`},
	{"name": "a Hugging Face token", "pattern": `\bhf_[A-Za-z0-9]{30}`},
	{"name": "an API key", "pattern": `\bsk-[A-Za-z0-9_-]{20}|\bsk_live_[A-Za-z0-9]{20}|\bAIza[A-Za-z0-9_-]{35}`},
	{"name": "a Slack token", "pattern": `\bxox[abeoprs]-[A-Za-z0-9-]{20}`},
	{"name": "a JSON Web Token", "pattern": `\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`},
	{"name": "a URL with a password", "pattern": `[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*:[^\s/@$<][^\s/@]*@`},
]

# One match for the usual case, which is none.
any_format := concat("|", [$"(?:{format.pattern})" | some format in formats])

finding(term, msg) := report.finding(about.id, term, msg)
