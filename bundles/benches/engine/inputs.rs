//! The inputs: the dossier of a Deployment with as many containers as give it its size.

use serde_json::{Value, json};

/// Sizes as compact JSON.
pub(crate) const KILOBYTES: [usize; 4] = [1, 5, 12, 120];

pub(crate) fn of_size(kilobytes: usize) -> String {
    let mut containers = Vec::new();
    loop {
        let input = input(&containers).to_string();
        if input.len() + 200 >= kilobytes * 1000 {
            return input;
        }
        containers.push(container(containers.len()));
    }
}

fn input(containers: &[Value]) -> Value {
    json!({
        "apiVersion": "interlock.dev/v1", "now": "2026-01-01T00:00:00Z", "track": "applications", "parameters": {},
        "subject": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout", "namespace": "production"},
        "object": {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "checkout", "namespace": "production", "labels": {"app.kubernetes.io/name": "checkout"},
                "annotations": {"example.com/source": "https://git.example.com/shop/checkout"}
            },
            "spec": {"replicas": 3, "template": {"spec": {
                "automountServiceAccountToken": false, "serviceAccountName": "checkout", "containers": containers
            }}}
        }
    })
}

fn container(number: usize) -> Value {
    json!({
        "name": format!("app-{number}"),
        "image": format!("registry.example.com/shop/app-{number}@sha256:{number:064x}"),
        "env": [{"name": "LEVEL", "value": "info"}, {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false, "runAsNonRoot": true, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}
        }
    })
}
