# METADATA
# title: A dossier to start from
# description: A Deployment that passes every gate; tests patch one thing in it and ask what changes.
package interlock.lib.sample_test

dossier := {
	"schema": "interlock.dev/dossier/v1alpha1",
	"now": "2026-11-21T14:00:00Z",
	"parameters": {},
	"track": "applications",
	"subject": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "cart", "uid": "u-1"},
	"object": {
		"apiVersion": "apps/v1",
		"kind": "Deployment",
		"metadata": {"name": "cart", "namespace": "shop"},
		"spec": {"template": {"metadata": {"labels": {"app": "cart"}}, "spec": pod}},
	},
	"namespace": {"state": "complete", "labels": {}},
	"pods": [{"path": "spec.template", "labels": {"app": "cart"}, "spec": pod}],
	"images": [{
		"path": "spec.template.spec.containers[0].image",
		"container": "app",
		"reference": container.image,
		"digest": digest,
	}],
	"related": {
		"networkPolicies": {"state": "complete", "items": [policy]},
		"serviceAccounts": {
			"state": "complete",
			"items": [{"name": "cart", "exists": true, "automountServiceAccountToken": null}],
		},
		"permissions": {"state": "complete", "items": [permission]},
	},
}

digest := "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

container := {
	"name": "app",
	"image": $"registry.example.com/shop/cart@{digest}",
	"env": [
		{"name": "LOG_LEVEL", "value": "info"},
		{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "cart-db", "key": "password"}}},
	],
	"ports": [{"containerPort": 8080}],
	"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
	"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
}

pod := {
	"serviceAccountName": "cart",
	"automountServiceAccountToken": false,
	"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
	"containers": [container],
}

policy := {
	"name": "cart",
	"selects": ["spec.template"],
	"policyTypes": ["Ingress"],
	"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "front"}}}]}],
	"egress": [],
}

permission := {
	"serviceAccount": "cart",
	"binding": {"kind": "RoleBinding", "name": "cart"},
	"role": {"kind": "Role", "name": "cart"},
	"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
}

# The sample with one JSON patch operation, or several.
patched(operations) := json.patch(dossier, operations)

# The same change to the only pod template or its only container.
in_pod(path, value) := patched([{"op": "add", "path": $"/pods/0/spec/{path}", "value": value}])

in_container(path, value) := in_pod($"containers/0/{path}", value)

without_in_pod(path) := patched([{"op": "remove", "path": $"/pods/0/spec/{path}"}])

with_parameters(sample, parameters) := object.union(sample, {"parameters": parameters})

# A KServe predictor that names a framework instead of a container.
served := patched([
	{"op": "replace", "path": "/pods", "value": [{"path": "spec.predictor", "labels": {}, "spec": predictor}]},
	{"op": "replace", "path": "/images", "value": [{
		"path": "spec.predictor.model.image",
		"container": "kserve-container",
		"reference": null,
		"digest": null,
		"chosenBy": "ServingRuntime",
	}]},
	{"op": "replace", "path": "/related/networkPolicies/items/0/selects", "value": ["spec.predictor"]},
])

predictor := {
	"serviceAccountName": "cart",
	"automountServiceAccountToken": false,
	"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://models/iris"},
}

# An object without pods.
route := patched([
	{"op": "replace", "path": "/pods", "value": []},
	{"op": "replace", "path": "/images", "value": []},
	{"op": "replace", "path": "/subject/kind", "value": "HTTPRoute"},
	{"op": "replace", "path": "/object", "value": {"spec": {"rules": [{"backendRefs": [{"name": "cart"}]}]}}},
])

unavailable := {"state": "unavailable", "reason": "Forbidden", "message": "may not list"}

# The messages of a set by their terms.
by_term(findings) := {finding.term: finding.msg | some finding in findings}

# What machines get to read.
reasons(findings) := {object.get(finding, "reason", null) | some finding in findings}

# A Rollout that takes its pod template from a Deployment.
referring := json.patch(route, [
	{"op": "replace", "path": "/subject/kind", "value": "Rollout"},
	{"op": "replace", "path": "/object/spec", "value": {"workloadRef": {"kind": "Deployment", "name": "cart"}}},
	{"op": "replace", "path": "/images", "value": [{
		"path": "spec.workloadRef",
		"container": "",
		"reference": null,
		"digest": null,
		"chosenBy": "Deployment cart",
	}]},
])

# A KServe predictor over several nodes, whose workers the ServingRuntime describes.
spread := json.patch(served, [
	{"op": "add", "path": "/pods/0/completedBy", "value": "ServingRuntime"},
	{"op": "add", "path": "/pods/-", "value": {
		"path": "spec.predictor.workerSpec",
		"labels": {},
		"completedBy": "ServingRuntime",
		"spec": {"pipelineParallelSize": 2, "serviceAccountName": "cart", "automountServiceAccountToken": false},
	}},
	{"op": "add", "path": "/images/-", "value": {
		"path": "spec.predictor.workerSpec.containers",
		"container": "",
		"reference": null,
		"digest": null,
		"chosenBy": "ServingRuntime",
	}},
	{"op": "add", "path": "/related/networkPolicies/items/0/selects/-", "value": "spec.predictor.workerSpec"},
])

terms(findings) := {finding.term | some finding in findings}

# An InferenceService whose model is in a registry and signed as its track demands.
inference := patched([
	{"op": "replace", "path": "/subject", "value": {
		"apiVersion": "serving.kserve.io/v1beta1",
		"kind": "InferenceService",
		"namespace": "shop",
		"name": "iris",
		"uid": "u-2",
	}},
	{"op": "add", "path": "/models", "value": [model]},
])

model := {
	"path": "spec.predictor.model.storageUri",
	"uri": $"oci://registry.example.com/models/iris@{digest}",
	"location": "Pinned",
	"reference": $"registry.example.com/models/iris@{digest}",
	"digest": digest,
	"signature": {"state": "verified", "digest": digest, "signers": ["ml"]},
}

link := {"name": "TargetUp", "holds": "True", "reason": "Up", "message": "the target is up"}
