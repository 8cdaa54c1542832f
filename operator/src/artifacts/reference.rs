//! Image references as Kubernetes reads them: without a registry they mean docker.io, there without a folder
//! `library/`, and without a tag or digest `latest`. Bundles are named in full instead, so this lives here.

use interlock_bundles::reference::{Reference, ReferenceError};

const DOCKER: &str = "docker.io";

/// The reference of an image as a PodSpec holds it.
pub fn of_image(name: &str) -> Result<Reference, ReferenceError> {
    let (registry, path) = match name.split_once('/') {
        Some((host, path)) if is_host(host) => (host, path),
        _ => (DOCKER, name),
    };
    // An older name of the same registry.
    let registry = if registry == "index.docker.io" {
        DOCKER
    } else {
        registry
    };
    let folder = if registry == DOCKER && !path.contains('/') {
        "library/"
    } else {
        ""
    };
    let tag = if path.contains([':', '@']) { "" } else { ":latest" };
    format!("{registry}/{folder}{path}{tag}").parse()
}

/// What the container runtimes take for a host rather than for a folder (distribution/reference, `splitDockerDomain`).
fn is_host(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost" || text.chars().any(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use interlock_bundles::reference::Wanted;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_names_mean_what_kubernetes_takes_them_for() {
        let hex = "a".repeat(64);
        let pinned = format!("nginx:1@sha256:{hex}");
        let digest = format!("docker.io/library/nginx sha256:{hex}");
        for (name, want) in [
            ("nginx", "docker.io/library/nginx tag latest"),
            ("nginx:1.27", "docker.io/library/nginx tag 1.27"),
            ("docker.io/nginx", "docker.io/library/nginx tag latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx tag latest"),
            ("acme/app:2", "docker.io/acme/app tag 2"),
            ("localhost/app", "localhost/app tag latest"),
            ("r.example:5000/app", "r.example:5000/app tag latest"),
            ("r.example/a/b:3", "r.example/a/b tag 3"),
            (&pinned, &digest),
        ] {
            let reference = of_image(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(format!("{} {}", reference.repository, reference.wanted), want, "{name}");
        }
        for name in [
            "",
            ":",
            "a b",
            "nginx:",
            "app@sha512:00",
            "http://r.example/x",
            "../x",
            "nginx@",
        ] {
            assert!(of_image(name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(name in "\\PC{0,40}") {
            if let Ok(reference) = of_image(&name) {
                prop_assert!(!matches!(reference.wanted, Wanted::Semver(_)));
            }
        }
    }
}
