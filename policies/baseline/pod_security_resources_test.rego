package interlock.baseline.pod_security_resources_test

import data.interlock.baseline.pod_security_resources as gate
import data.interlock.lib.sample_test as sample

denied(dossier) := found if {
	found := sample.terms(gate.deny) with input as dossier
	count(gate.deny) == count(found) with input as dossier # one message a term
}

passes(dossier) if {
	sample.terms(gate.pass) == {""} with input as dossier
	count(union({gate.deny, gate.unknown, gate.skip})) == 0 with input as dossier
}

at_level(dossier, level) := sample.with_parameters(dossier, {"podSecurity": level})

test_good_pod_passes if passes(sample.dossier)

# One change, and the only term it must bring; [path in the container, value, term].
baseline_container_faults := [
	["securityContext/privileged", true, "app/securityContext.privileged"],
	["securityContext/privileged", "true", "app/securityContext.privileged"],
	["securityContext/capabilities/add", ["SYS_ADMIN"], "app/securityContext.capabilities.add[SYS_ADMIN]"],
	["securityContext/procMount", "Unmasked", "app/securityContext.procMount"],
	["securityContext/seccompProfile", {"type": "Unconfined"}, "app/securityContext.seccompProfile"],
	["securityContext/seccompProfile", {}, "app/securityContext.seccompProfile"],
	["securityContext/appArmorProfile", {"type": "Unconfined"}, "app/securityContext.appArmorProfile"],
	["securityContext/seLinuxOptions", {"type": "spc_t"}, "app/securityContext.seLinuxOptions.type"],
	["securityContext/seLinuxOptions", {"user": "u"}, "app/securityContext.seLinuxOptions.user"],
	["securityContext/seLinuxOptions", {"role": "r"}, "app/securityContext.seLinuxOptions.role"],
	["securityContext/windowsOptions", {"hostProcess": true}, "app/securityContext.windowsOptions.hostProcess"],
	["ports/0/hostPort", 80, "app/ports.hostPort[80]"],
	["livenessProbe", {"httpGet": {"host": "10.0.0.1", "port": 1}}, "app/livenessProbe.httpGet.host"],
	["readinessProbe", {"tcpSocket": {"host": "::1", "port": 1}}, "app/readinessProbe.tcpSocket.host"],
	["startupProbe", {"httpGet": {"host": "a", "port": 1}}, "app/startupProbe.httpGet.host"],
	["lifecycle", {"preStop": {"httpGet": {"host": "a", "port": 1}}}, "app/lifecycle.preStop.httpGet.host"],
	["lifecycle", {"postStart": {"tcpSocket": {"host": "a", "port": 1}}}, "app/lifecycle.postStart.tcpSocket.host"],
]

baseline_pod_faults := [
	["hostNetwork", true, "hostNetwork"],
	["hostNetwork", "yes", "hostNetwork"],
	["hostPID", true, "hostPID"],
	["hostIPC", true, "hostIPC"],
	["volumes", [{"name": "v", "hostPath": {"path": "/"}}], "volumes[v]"],
	["volumes", [{"name": "v", "hostPath": "/"}], "volumes[v]"],
	["securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}], "securityContext.sysctls[kernel.msgmax]"],
	["securityContext/seccompProfile", {"type": "Unconfined"}, "securityContext.seccompProfile"],
	["securityContext/appArmorProfile", {"type": "Unconfined"}, "securityContext.appArmorProfile"],
	["securityContext/seLinuxOptions", {"type": "spc_t"}, "securityContext.seLinuxOptions.type"],
	["securityContext/windowsOptions", {"hostProcess": true}, "securityContext.windowsOptions.hostProcess"],
]

restricted_container_faults := [
	["securityContext/runAsNonRoot", false, "app/securityContext.runAsNonRoot"],
	["securityContext/runAsUser", 0, "app/securityContext.runAsUser"],
	["securityContext/allowPrivilegeEscalation", true, "app/securityContext.allowPrivilegeEscalation"],
	["securityContext/allowPrivilegeEscalation", null, "app/securityContext.allowPrivilegeEscalation"],
	["securityContext/capabilities", {}, "app/securityContext.capabilities.drop"],
	["securityContext/capabilities", {"drop": ["NET_RAW"]}, "app/securityContext.capabilities.drop"],
	["securityContext/capabilities/add", ["CHOWN"], "app/securityContext.capabilities.add[CHOWN]"],
]

restricted_pod_faults := [
	["securityContext", {"seccompProfile": {"type": "Localhost"}}, "app/securityContext.runAsNonRoot"],
	["securityContext", {"runAsNonRoot": true}, "app/securityContext.seccompProfile"],
	["securityContext/runAsUser", 0, "securityContext.runAsUser"],
	["volumes", [{"name": "v", "nfs": {"server": "s", "path": "/"}}], "volumes[v]"],
	["volumes", [{"name": "v", "inventedVolume": {}}], "volumes[v]"],
]

test_baseline_is_denied_at_baseline_and_restricted if {
	every fault in baseline_container_faults {
		every level in ["baseline", "restricted"] {
			denied(at_level(sample.in_container(fault[0], fault[1]), level)) == {fault[2]}
		}
	}
	every fault in baseline_pod_faults {
		every level in ["baseline", "restricted"] {
			denied(at_level(sample.in_pod(fault[0], fault[1]), level)) == {fault[2]}
		}
	}
}

test_restricted_is_denied_at_restricted_only if {
	every fault in restricted_container_faults {
		denied(sample.in_container(fault[0], fault[1])) == {fault[2]}
		passes(at_level(sample.in_container(fault[0], fault[1]), "baseline"))
	}
	every fault in restricted_pod_faults {
		denied(sample.in_pod(fault[0], fault[1])) == {fault[2]}
		passes(at_level(sample.in_pod(fault[0], fault[1]), "baseline"))
	}
}

test_privileged_asks_for_nothing if {
	every fault in baseline_container_faults {
		passes(at_level(sample.in_container(fault[0], fault[1]), "privileged"))
	}
}

test_pod_that_says_root_is_denied_whatever_its_containers_say if {
	dossier := json.patch(
		sample.in_container("securityContext/runAsNonRoot", true),
		[{"op": "replace", "path": "/pods/0/spec/securityContext/runAsNonRoot", "value": false}],
	)
	denied(dossier) == {"securityContext.runAsNonRoot"}
}

test_allowed_values_pass if {
	every change in [
		["securityContext/privileged", false],
		["securityContext/capabilities/add", ["NET_BIND_SERVICE"]],
		["securityContext/capabilities/add", null],
		["securityContext/procMount", "Default"],
		["securityContext/seccompProfile", {"type": "Localhost", "localhostProfile": "p.json"}],
		["securityContext/appArmorProfile", {"type": "RuntimeDefault"}],
		["securityContext/seLinuxOptions", {"type": "container_engine_t", "level": "s0:c1"}],
		["securityContext/windowsOptions", {"hostProcess": false}],
		["securityContext/runAsUser", 1000],
		["ports/0/hostPort", 0],
		["livenessProbe", {"httpGet": {"host": "", "port": 1}}],
		["lifecycle", {"preStop": {"exec": {"command": ["true"]}}}],
	] {
		passes(sample.in_container(change[0], change[1]))
	}
	every change in [
		["hostNetwork", false],
		["hostUsers", true],
		["volumes", [{"name": "a", "emptyDir": {}}, {"name": "b"}, {"name": "c", "image": {}, "hostPath": null}]],
		["securityContext/sysctls", [{"name": "net.ipv4.tcp_wmem", "value": "1"}]],
	] {
		passes(sample.in_pod(change[0], change[1]))
	}
}

apparmor_key := "container.apparmor.security.beta.kubernetes.io/app"

annotated(value) := sample.patched([{"op": "add", "path": "/pods/0/annotations", "value": {apparmor_key: value}}])

# https://kubernetes.io/docs/concepts/security/pod-security-standards/, written down a second time.
test_lists_are_the_standards if {
	every name in [
		"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
		"net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
		"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
		"net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
	] {
		passes(sample.in_pod("securityContext/sysctls", [{"name": name, "value": "1"}]))
	}
	every capability in [
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
		"SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	] {
		passes(at_level(sample.in_container("securityContext/capabilities/add", [capability]), "baseline"))
	}
	every type in [
		"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
		"secret",
	] {
		passes(sample.in_pod("volumes", [{"name": "v", type: {}}]))
	}
	every type in ["container_t", "container_init_t", "container_kvm_t", "container_engine_t", ""] {
		passes(sample.in_container("securityContext/seLinuxOptions", {"type": type}))
	}
}

test_apparmor_annotations if {
	key := apparmor_key
	denied(annotated("unconfined")) == {$"annotations[{key}]"}
	passes(annotated("runtime/default"))
	passes(annotated("localhost/profile"))
	other := {"op": "add", "path": "/pods/0/annotations", "value": {"example.com/apparmor": "unconfined"}}
	passes(sample.patched([other]))
}

test_user_namespace_relaxes_users_but_not_proc_mount_when_restricted if {
	changed := json.patch(sample.in_container("securityContext/procMount", "Unmasked"), [
		{"op": "add", "path": "/pods/0/spec/hostUsers", "value": false},
		{"op": "replace", "path": "/pods/0/spec/securityContext/runAsNonRoot", "value": false},
		{"op": "add", "path": "/pods/0/spec/securityContext/runAsUser", "value": 0},
	])
	denied(changed) == {"app/securityContext.procMount"}
	passes(at_level(changed, "baseline"))
}

test_windows_has_no_linux_settings if {
	dossier := json.patch(sample.in_pod("os", {"name": "windows"}), [
		{"op": "remove", "path": "/pods/0/spec/securityContext/seccompProfile"},
		{"op": "remove", "path": "/pods/0/spec/containers/0/securityContext"},
	])
	passes(dossier)
	denied(json.patch(dossier, [{"op": "remove", "path": "/pods/0/spec/os"}])) == {
		"app/securityContext.allowPrivilegeEscalation",
		"app/securityContext.capabilities.drop",
		"app/securityContext.seccompProfile",
	}
}

test_every_list_of_containers_is_judged if {
	every list in ["initContainers", "ephemeralContainers"] {
		container := json.patch(sample.container, [
			{"op": "replace", "path": "/name", "value": "other"},
			{"op": "add", "path": "/securityContext/privileged", "value": true},
		])
		denied(sample.in_pod(list, [container])) == {"other/securityContext.privileged"}
	}
}

test_two_pod_templates_are_told_apart if {
	privileged := json.patch(sample.pod, [{
		"op": "add",
		"path": "/containers/0/securityContext/privileged",
		"value": true,
	}])
	dossier := sample.patched([{
		"op": "add",
		"path": "/pods/-",
		"value": {"path": "spec.worker", "labels": {}, "spec": object.union(privileged, {"hostPID": true})},
	}])
	denied(dossier) == {"spec.worker/app/securityContext.privileged", "spec.worker/hostPID"}
}

test_message_names_value_rule_and_remedy if {
	found := sample.by_term(gate.deny) with input as sample.in_container("securityContext/privileged", true)
	found["app/securityContext.privileged"] == concat("", [
		"container app: securityContext.privileged is true, which Pod Security baseline does not allow; ",
		"remove it, and add the single capabilities the process needs",
	])
	host := sample.by_term(gate.deny) with input as sample.in_pod("hostPID", true)
	host.hostPID == "spec.template: hostPID is true, which Pod Security baseline does not allow; remove hostPID"
}

# ---- resources ----

test_missing_resources_are_denied_in_one_finding if {
	found := sample.by_term(gate.deny) with input as sample.without_in_pod("containers/0/resources")
	found == {"app/resources": concat("", [
		"container app has no requests.cpu, requests.memory, limits.memory; ",
		"set them under resources",
	])}
}

test_each_resource_is_needed if {
	every path in ["requests/cpu", "limits/memory"] {
		denied(sample.without_in_pod($"containers/0/resources/{path}")) == {"app/resources"}
	}
	every nothing in ["0", "0Mi", "", "lots", "1lots", "1 Gi", "-1", 0, null, {}] {
		denied(sample.in_container("resources/limits/memory", nothing)) == {"app/resources"}
	}
	every enough in ["1", "1.5Gi", "1e9", ".5G", 1000000, "100M"] {
		passes(sample.in_container("resources/limits/memory", enough))
	}
}

test_limit_stands_for_request if passes(sample.without_in_pod("containers/0/resources/requests/memory"))

test_resources_of_the_pod_stand_for_its_containers if {
	dossier := json.patch(
		sample.without_in_pod("containers/0/resources"),
		[{"op": "add", "path": "/pods/0/spec/resources", "value": sample.container.resources}],
	)
	passes(dossier)
}

test_ephemeral_containers_need_no_resources if {
	passes(sample.in_pod("ephemeralContainers", [object.remove(sample.container, ["resources"])]))
	denied(sample.in_pod("initContainers", [object.remove(sample.container, ["resources"])])) == {"app/resources"}
}

test_parameter_relaxes_resources if {
	without_limit := sample.without_in_pod("containers/0/resources/limits")
	passes(sample.with_parameters(without_limit, {"resources": "requests"}))
	nothing := sample.without_in_pod("containers/0/resources")
	denied(sample.with_parameters(nothing, {"resources": "requests"})) == {"app/resources"}
	passes(sample.with_parameters(nothing, {"resources": "none"}))
}

# ---- the other results ----

test_serving_runtime_leaves_the_gate_unknown if {
	sample.terms(gate.unknown) == {"kserve-container"} with input as sample.served
	count(gate.deny | gate.pass) == 0 with input as sample.served
}

test_containers_of_the_runtime_are_unknown if {
	sample.terms(gate.unknown) == {
		"spec.predictor.workerSpec/containers",
		"spec.predictor/kserve-container",
	} with input as sample.spread
	passes(sample.with_parameters(sample.spread, {"podSecurity": "privileged", "resources": "none"}))
}

test_runtime_completes_containers_too if {
	completed := sample.patched([
		{"op": "add", "path": "/pods/0/completedBy", "value": "ServingRuntime"},
		{"op": "remove", "path": "/pods/0/spec/containers/0/resources"},
		{"op": "remove", "path": "/pods/0/spec/containers/0/securityContext"},
	])
	count(gate.deny) == 0 with input as completed
	sample.terms(gate.unknown) == {"app"} with input as completed
}

test_explainer_is_judged_like_a_container if {
	explainer := sample.in_pod("art", {"type": "SquareAttack"})
	alone := json.patch(explainer, [{"op": "remove", "path": "/pods/0/spec/containers"}])
	"kserve-container/resources" in denied(alone)
	count(gate.unknown) == 0 with input as alone
}

test_pod_template_elsewhere_is_unknown if {
	sample.by_term(gate.unknown) == {"pods": concat("", [
		"Rollout shop/cart takes its pod template from Deployment cart, which this dossier does not hold; ",
		"judge that object, or write the template into this one",
	])} with input as sample.referring
	count(union({gate.deny, gate.skip, gate.pass})) == 0 with input as sample.referring
}

test_serving_runtime_does_not_excuse_what_is_set if {
	dossier := json.patch(sample.served, [
		{"op": "add", "path": "/pods/0/spec/model/securityContext", "value": {"privileged": true}},
		{"op": "add", "path": "/pods/0/spec/hostNetwork", "value": true},
	])
	denied(dossier) == {"kserve-container/securityContext.privileged", "hostNetwork"}
}

test_serving_runtime_passes_where_nothing_is_required if {
	passes(sample.with_parameters(sample.served, {"podSecurity": "privileged", "resources": "none"}))
}

test_no_pods_is_skipped if {
	sample.by_term(gate.skip) == {"": "HTTPRoute shop/cart has no pod template"} with input as sample.route
	count(union({gate.deny, gate.unknown, gate.pass})) == 0 with input as sample.route
}

test_wrong_parameters_are_unknown if {
	every parameter, value in {"podSecurity": "strict", "resources": true} {
		dossier := sample.with_parameters(sample.dossier, {parameter: value})
		sample.terms(gate.unknown) == {$"parameters.{parameter}"} with input as dossier
		count(gate.pass) == 0 with input as dossier
	}
	passes(sample.with_parameters(sample.dossier, {"podSecurity": null}))
}

test_wrong_types_are_unknown if {
	every change in [
		["containers", "x"],
		["containers/0", 3],
		["initContainers", {}],
		["volumes", "x"],
		["volumes", [1]],
		["securityContext", []],
		["resources", 1],
		["os", "windows"],
		["hostUsers", "no"],
		["containers/0/securityContext", true],
		["containers/0/securityContext/capabilities", ["ALL"]],
		["containers/0/securityContext/seccompProfile", "RuntimeDefault"],
		["containers/0/securityContext/runAsUser", "0"],
		["containers/0/ports", {"hostPort": 1}],
		["containers/0/lifecycle", {"preStop": "x"}],
		["containers/0/livenessProbe", {"httpGet": []}],
		["containers/0/resources", {"limits": "1Gi"}],
		["containers/0/startupProbe", "x"],
		["containers/0/securityContext/capabilities", {"add": "SYS_ADMIN", "drop": ["ALL"]}],
		["containers/0/securityContext/capabilities", {"add": [1], "drop": ["ALL"]}],
		["containers/0/securityContext/capabilities", {"drop": "ALL"}],
		["securityContext/seccompProfile", "RuntimeDefault"],
		["securityContext/sysctls", {}],
		["resources", {"limits": 1}],
		["containers/0/env", [{"name": "PORT", "value": 80}]],
	] {
		dossier := sample.in_pod(change[0], change[1])
		sample.terms(gate.unknown) == {"pods"} with input as dossier
		count(gate.pass) == 0 with input as dossier
	}
	every pods in ["x", null, {}, [1], [{}], [{"path": "p", "spec": "s"}], [{"path": "p", "spec": {}}]] {
		dossier := sample.patched([{"op": "replace", "path": "/pods", "value": pods}])
		sample.terms(gate.unknown) == {"pods"} with input as dossier
		count(gate.pass) == 0 with input as dossier
	}
	sample.terms(gate.unknown) == {"pods"} with input as {}
}

test_wrong_type_is_named if {
	found := sample.by_term(gate.unknown) with input as sample.in_container("env/0/value", 80)
	found.pods == "container app.env[0].value is number, not string; correct the object"
}
