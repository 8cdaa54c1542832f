# METADATA
# title: Pod Security Standards
# description: >-
#   The two lists of https://kubernetes.io/docs/concepts/security/pod-security-standards/ as Kubernetes 1.36 applies
#   them, computed from the pod templates. Each rule denies whatever is not in its list of allowed values, so that a value
#   nobody thought of denies as well. What another object completes (see lib/workload) is not denied for being unset.
package interlock.lib.pod_security

import data.interlock.lib.report
import data.interlock.lib.shape
import data.interlock.lib.workload

# violations(level) is a set of {"term", "msg"}.
violations("restricted") := baseline | restricted

violations("baseline") := baseline

violations("privileged") := set()

# ---- baseline ----

baseline contains of_pod(pod, field, report.show(value), "baseline", $"remove {field}") if {
	some pod in workload.pods
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	value := object.get(pod.spec, field, null)
	not value in [null, false]
}

baseline contains of_pod(pod, $"volumes[{name}]", "a hostPath volume", "baseline", advice) if {
	some pod in workload.pods
	some index, volume in pod.spec.volumes
	name := workload.named(volume, index)
	object.get(volume, "hostPath", null) != null
	advice := "use a persistentVolumeClaim, configMap or emptyDir"
}

baseline contains of_pod(pod, $"securityContext.sysctls[{name}]", "an unsafe sysctl", "baseline", "remove it") if {
	some pod in workload.pods
	some index, sysctl in pod.spec.securityContext.sysctls
	name := workload.named(sysctl, index)
	not name in safe_sysctls
}

baseline contains of(context, field, report.show(value), "baseline", $"remove {field}") if {
	some context in contexts
	value := object.get(context.security, ["windowsOptions", "hostProcess"], null)
	not value in [null, false]
	field := "securityContext.windowsOptions.hostProcess"
}

baseline contains of(context, "securityContext.seccompProfile", report.show(type), "baseline", advice) if {
	some context in contexts
	profile := context.security.seccompProfile
	type := object.get(profile, "type", null)
	not type in ["RuntimeDefault", "Localhost"]
	advice := `set type to "RuntimeDefault"`
}

baseline contains of(context, "securityContext.appArmorProfile", report.show(type), "baseline", advice) if {
	some context in contexts
	profile := context.security.appArmorProfile
	type := object.get(profile, "type", null)
	not type in ["RuntimeDefault", "Localhost"]
	advice := `set type to "RuntimeDefault" or remove it`
}

baseline contains of_pod(pod, $"annotations[{key}]", report.show(value), "baseline", "remove the annotation") if {
	some pod in workload.pods
	some key, value in annotations(pod)
	startswith(key, "container.apparmor.security.beta.kubernetes.io/")
	not apparmor_annotation(value)
}

baseline contains of(context, $"securityContext.seLinuxOptions.{field}", report.show(value), "baseline", advice) if {
	some context in contexts
	some field, allowed in selinux
	value := object.get(context.security, ["seLinuxOptions", field], null)
	not value in allowed
	advice := $"remove {field}"
}

baseline contains of_container(container, "securityContext.privileged", report.show(value), "baseline", advice) if {
	some container in workload.containers
	value := object.get(container.security, "privileged", null)
	not value in [null, false]
	advice := "remove it, and add the single capabilities the process needs"
}

baseline contains of_container(container, field, "not a default capability", "baseline", "remove it") if {
	some container in workload.containers
	some capability in container.security.capabilities.add
	not capability in default_capabilities
	field := $"securityContext.capabilities.add[{capability}]"
}

baseline contains of_container(container, "securityContext.procMount", report.show(value), "baseline", "remove it") if {
	some container in workload.containers
	not user_namespace(container.pod)
	value := object.get(container.security, "procMount", null)
	not value in [null, "Default"]
}

baseline contains of_container(container, field, "a port of the node", "baseline", advice) if {
	some container in workload.containers
	some port in container.spec.ports
	value := object.get(port, "hostPort", null)
	not value in [null, 0]
	field := $"ports.hostPort[{report.show(value)}]"
	advice := "remove hostPort and put a Service in front"
}

baseline contains of_container(container, field, report.show(host), "baseline", "remove host") if {
	some container in workload.containers
	some at, handler in shape.handlers(container.spec)
	some action in ["httpGet", "tcpSocket"]
	host := object.get(handler, [action, "host"], null)
	not host in [null, ""]
	field := $"{at}.{action}.host"
}

# ---- restricted, beyond baseline ----

restricted contains of_pod(pod, $"volumes[{name}]", $"of type {concat(" and ", types)}", "restricted", advice) if {
	some pod in workload.pods
	some index, volume in pod.spec.volumes
	object.get(volume, "hostPath", null) == null
	types := sort([type | some type, value in volume; not type in portable_volumes; type != "name"; value != null])
	count(types) > 0
	name := workload.named(volume, index)
	advice := "use a persistentVolumeClaim, configMap, secret, emptyDir or another portable type"
}

restricted contains of_pod(pod, "securityContext.runAsNonRoot", report.show(value), "restricted", "set it to true") if {
	some pod in workload.pods
	not user_namespace(pod)
	value := object.get(pod.spec, ["securityContext", "runAsNonRoot"], null)
	not value in [null, true]
}

restricted contains of_container(container, "securityContext.runAsNonRoot", said(value), "restricted", advice) if {
	some container in workload.containers
	not user_namespace(container.pod)
	value := own_or_pods(container, "runAsNonRoot")
	value != true
	not left_open(container, value)
	advice := "set it to true on the pod or the container"
}

restricted contains of(context, "securityContext.runAsUser", "0", "restricted", "use another user, or leave it out") if {
	some context in contexts
	not user_namespace(context.pod)
	object.get(context.security, "runAsUser", null) == 0
}

restricted contains of_container(container, "securityContext.seccompProfile", "not set", "restricted", advice) if {
	some container in workload.containers
	not windows(container.pod)
	value := own_or_pods(container, "seccompProfile")
	value == null
	not left_open(container, value)
	advice := `set {"type": "RuntimeDefault"} on the pod or the container`
}

restricted contains of_container(container, field, said(value), "restricted", "set it to false") if {
	some container in workload.containers
	not windows(container.pod)
	field := "securityContext.allowPrivilegeEscalation"
	value := object.get(container.security, "allowPrivilegeEscalation", null)
	value != false
	not left_open(container, value)
}

restricted contains of_container(container, field, said(value), "restricted", `set it to ["ALL"]`) if {
	some container in workload.containers
	not windows(container.pod)
	field := "securityContext.capabilities.drop"
	value := object.get(container.security, ["capabilities", "drop"], null)
	not drops_all(value)
	not left_open(container, value)
}

restricted contains of_container(container, field, "not NET_BIND_SERVICE", "restricted", "remove it") if {
	some container in workload.containers
	not windows(container.pod)
	some capability in container.security.capabilities.add
	capability in default_capabilities
	capability != "NET_BIND_SERVICE"
	field := $"securityContext.capabilities.add[{capability}]"
}

restricted contains of_container(container, "securityContext.procMount", report.show(value), "restricted", "remove it") if {
	some container in workload.containers
	user_namespace(container.pod)
	value := object.get(container.security, "procMount", null)
	not value in [null, "Default"]
}

# ---- the lists ----

safe_sysctls := {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_wmem",
}

default_capabilities := {
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
	"SETPCAP", "SETUID", "SYS_CHROOT",
}

# A volume that names no type is an emptyDir.
portable_volumes := [
	"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
]

selinux := {
	"type": [null, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"],
	"user": [null, ""],
	"role": [null, ""],
}

# ---- what a pod template says ----

# Pods and containers alike: whatever has a securityContext, as {pod, container?, security}.
contexts := array.concat(
	[{"pod": pod, "security": workload.section(pod.spec, "securityContext")} | some pod in workload.pods],
	[{"pod": c.pod, "container": c, "security": c.security} | some c in workload.containers],
)

own_or_pods(container, field) := own if {
	own := object.get(container.security, field, null)
	own != null
} else := object.get(container.pod.spec, ["securityContext", field], null)

# The pod's users are not the node's, so some rules have no object.
user_namespace(pod) if pod.spec.hostUsers == false

windows(pod) if pod.spec.os.name == "windows"

# Unset here, but perhaps set by the object that completes the container.
left_open(container, null) if container.completed

drops_all(dropped) if "ALL" in dropped

apparmor_annotation(value) if value in ["", "runtime/default"]

apparmor_annotation(value) if startswith(value, "localhost/")

annotations(pod) := workload.section(pod, "annotations")

# ---- the words ----

said(null) := "not set"

said(value) := report.show(value) if value != null

of(context, field, what, level, advice) := of_container(context.container, field, what, level, advice) if {
	context.container
} else := of_pod(context.pod, field, what, level, advice)

of_pod(pod, field, what, level, advice) := {
	"term": $"{workload.prefix(pod)}{field}",
	"msg": $"{workload.place(pod)}: {field} is {what}, which Pod Security {level} does not allow; {advice}",
}

of_container(container, field, what, level, advice) := {
	"term": $"{container.term}/{field}",
	"msg": $"container {container.name}: {field} is {what}, which Pod Security {level} does not allow; {advice}",
}
