//! The life of a policy bundle outside Kubernetes.
