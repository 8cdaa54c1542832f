package interlock.baseline.secrets_by_reference_test

import data.interlock.baseline.secrets_by_reference as gate
import data.interlock.lib.sample_test as sample

with_env(name, value) := sample.in_container("env", [{"name": name, "value": value}])

denied(dossier) := found if {
	found := sample.by_term(gate.deny) with input as dossier
}

unknown(dossier) := found if {
	found := sample.by_term(gate.unknown) with input as dossier
	count(gate.pass) == 0 with input as dossier
}

passes(dossier) if {
	sample.terms(gate.pass) == {""} with input as dossier
	count(union({gate.deny, gate.unknown, gate.skip})) == 0 with input as dossier
}

# Put together here so that no scanner takes this file for a leak.
random := "Zx9QmT4vLr7KpW2sYb6NcH8dJf3GtU5aEo1i"

formats := {
	"a private key": concat("", ["-----BEGIN RSA ", "PRIVATE KEY-----\nMIIE"]),
	"an AWS access key": concat("", ["AKIA", "ABCDEFGHIJKLMNOP"]),
	"a GitHub token": concat("", ["ghp_", random]),
	"a GitLab token": concat("", ["glpat-", substring(random, 0, 20)]),
	"a Hugging Face token": concat("", ["hf_", random]),
	"an API key": concat("", ["sk-", random]),
	"a Slack token": concat("", ["xoxb-", random]),
	"a JSON Web Token": concat("", ["eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0In0", ".c2ln"]),
	"a URL with a password": "postgres://cart:hunter2@db:5432/cart",
}

test_references_pass if passes(sample.dossier)

test_names_that_say_secret_are_denied if {
	every name in [
		"PASSWORD", "DB_PASSWORD", "PGPASSWORD", "db.password", "dbPassword", "DB_PASS", "DB_PWD", "AUTH_TOKEN", "token",
		"API_KEY", "APIKEY", "api-key", "AWS_SECRET_ACCESS_KEY", "CLIENT_SECRET", "PRIVATE_KEY", "CREDENTIALS",
		"GITHUBTOKEN", "PASSWORD_2", "SSH_PASSPHRASE",
	] {
		found := denied(with_env(name, "hunter2"))
		object.keys(found) == {$"app/env/{name}"}
	}
}

test_other_names_pass if {
	every name in [
		"MAX_TOKENS", "TOKENIZER", "TOKENIZERS_PARALLELISM", "SECRET_NAME", "PASSWORD_FILE", "TOKEN_TTL", "KEY", "PWD",
		"COMPASS", "BYPASS", "MONKEY", "AUTHOR", "SECRETARY", "KEYBOARD_LAYOUT",
	] {
		passes(with_env(name, "hunter2"))
	}
}

test_values_that_are_no_secret_pass if {
	every value in ["", " ", "true", "No", "$(DB_PASSWORD)", "${DB_PASSWORD}", "/var/run/secrets/token", "<redacted>"] {
		passes(with_env("DB_PASSWORD", value))
	}
	passes(sample.in_container("env", [{"name": "DB_PASSWORD"}]))
	passes(sample.in_container("env", null))
	denied(with_env("DB_PASSWORD", "/hunter2"))["app/env/DB_PASSWORD"]
}

test_formats_are_denied_under_any_name if {
	every kind, value in formats {
		found := denied(with_env("SETTING", value))
		found == {"app/env/SETTING": concat("", [
			$"container app: the value of SETTING is a literal that looks like {kind}; ",
			"rotate it and use valueFrom.secretKeyRef",
		])}
	}
}

test_formats_are_denied_in_arguments if {
	every list in ["command", "args"] {
		every kind, value in formats {
			found := denied(sample.in_container(list, ["run", $"--config={value}"]))
			object.keys(found) == {$"app/{list}[1]"}
			contains(found[$"app/{list}[1]"], $"looks like {kind}")
		}
	}
}

test_url_without_a_literal_password_passes if {
	every value in [
		"postgres://db:5432/cart", "https://user@host/x", "postgres://cart:$(DB_PASSWORD)@db/cart", "https://a/b:c@d",
		"s3://bucket/key", "image@sha256:0000",
	] {
		passes(with_env("SETTING", value))
	}
}

test_flags_that_say_secret_are_denied if {
	every word in [
		"--password=hunter2", "--db-password=hunter2", "-token=hunter2", "--auth.client-secret=hunter2", "API_KEY=hunter2",
		"export DB_PASSWORD='hunter2' && run", "run --verbose --token=hunter2",
	] {
		object.keys(denied(sample.in_container("args", [word]))) == {"app/args[0]"}
	}
	every flag in ["--password", "-token", "--client-secret", "--api-key"] {
		object.keys(denied(sample.in_container("args", [flag, "hunter2"]))) == {"app/args[1]"}
	}
}

test_other_arguments_pass if {
	every words in [
		["--password=$(DB_PASSWORD)"], ["--password", "$(DB_PASSWORD)"], ["--password-file=/etc/p"], ["--max-tokens=512"],
		["--token", "--verbose"], ["--private-key=/etc/tls/key.pem"], ["--enable-token=true"], ["--tokenizer", "bert"],
		["--password="], ["password"], ["password", "hunter2"],
	] {
		passes(sample.in_container("args", words))
	}
}

test_no_message_repeats_a_value if {
	every value in array.concat([v | some v in formats], ["hunter2"]) {
		every dossier in [
			with_env("DB_PASSWORD", value),
			sample.in_container("args", [$"--password={value}"]),
			sample.in_container("args", ["--password", value]),
		] {
			messages := [finding.msg | some finding in gate.deny] with input as dossier
			count(messages) == 1
			not contains(messages[0], value)
			not contains(messages[0], "hunter2")
		}
	}
}

test_allowed_names_pass if {
	allow(with_env("API_KEY", "EMPTY"), "API_KEY")
	allow(with_env("MAPS_KEY", formats["an API key"]), "MAPS_KEY")
	allow(sample.in_container("args", ["--tls-secret=front"]), "--tls-secret")
	allow(sample.in_container("args", ["--tls-secret", "front"]), "--tls-secret")
}

# Denied without the parameter, passed with it.
allow(dossier, name) if {
	count(denied(dossier)) == 1
	passes(sample.with_parameters(dossier, {"allowedNames": [name]}))
	count(denied(sample.with_parameters(dossier, {"allowedNames": ["OTHER"]}))) == 1
}

test_all_containers_are_read if {
	every list in ["initContainers", "ephemeralContainers"] {
		container := object.union(sample.container, {"name": "other", "env": [{"name": "TOKEN", "value": "hunter2"}]})
		object.keys(denied(sample.in_pod(list, [container]))) == {"other/env/TOKEN"}
	}
	model := json.patch(sample.served, [{
		"op": "add",
		"path": "/pods/0/spec/model/env",
		"value": [{"name": "HF_TOKEN", "value": "hunter2"}],
	}])
	object.keys(denied(model)) == {"kserve-container/env/HF_TOKEN"}
	passes(sample.served)
}

test_nameless_variable_is_read if {
	dossier := sample.in_container("env", [{"value": formats["a GitHub token"]}])
	count(denied(dossier)) == 1
}

test_wrong_parameter_is_unknown_and_allows_nothing if {
	every value in ["API_KEY", [1], {}] {
		dossier := sample.with_parameters(with_env("API_KEY", "hunter2"), {"allowedNames": value})
		object.keys(unknown(dossier)) == {"parameters.allowedNames"}
		count(denied(dossier)) == 1
	}
}

test_wrong_types_are_unknown if {
	every change in [["env", "x"], ["env", ["A=b"]], ["env", [{"name": "A", "value": 1}]], ["args", "x"], ["command", [1]]] {
		object.keys(unknown(sample.in_container(change[0], change[1]))) == {"pods"}
	}
}

test_no_pods_is_skipped if {
	sample.terms(gate.skip) == {""} with input as sample.route
	count(union({gate.deny, gate.unknown, gate.pass})) == 0 with input as sample.route
}

test_pod_template_elsewhere_is_unknown if {
	sample.terms(gate.unknown) == {"pods"} with input as sample.referring
	count(union({gate.deny, gate.skip, gate.pass})) == 0 with input as sample.referring
}
