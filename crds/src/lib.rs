//! The Kubernetes API of Interlock, as users write it.
