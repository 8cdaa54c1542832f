//! The operator's image, made by the same recipe as `make image` with a debug binary: pushed to a real registry, pulled,
//! unpacked, and run in a root that holds nothing else.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::operator::binary;
use interlock_tests::scratch::scratch;
use interlock_tests::tools::{repository_root, tool};
use interlock_tests::{Flavour, Registry};
use serde_json::Value;
use tokio::process::Command;

use crate::chart::said;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_image_holds_all_that_the_binary_needs() -> Result<()> {
    let folder = scratch("image")?;
    let layout = folder.path().join("layout");
    let dynamic = recipe(&binary()?, &layout).await?;
    ensure!(
        !dynamic.status.success() && said(&dynamic).contains("needs shared libraries"),
        "a binary that cannot start there is refused: {}",
        said(&dynamic)
    );

    let linked = link_statically(folder.path()).await?;
    let made = recipe(&linked, &layout).await?;
    ensure!(made.status.success(), "{}", said(&made));
    let digest = String::from_utf8(made.stdout)?.trim().to_owned();
    let again = recipe(&linked, &folder.path().join("again")).await?;
    ensure!(said(&again).trim() == digest, "the same input makes another image");

    let registry = Registry::start(Flavour::Referrers).await?;
    let reference = format!("{}/platform/interlock:0.1.0", registry.host());
    let pushed = crane(&["push", &layout.display().to_string(), &reference]).await?;
    ensure!(pushed.trim().ends_with(&digest), "pushed {pushed}, made {digest}");
    crane(&["validate", "--remote", &reference]).await?;
    let config: Value = serde_json::from_str(&crane(&["config", &reference]).await?)?;
    ensure!(
        config["config"]["User"] == "65532:65532" && config["config"]["Entrypoint"][0] == "/interlock",
        "{config}"
    );

    let root = folder.path().join("root");
    unpack(&reference, &root).await?;
    let version = within(&root, &["--version"]).await?;
    ensure!(
        said(&version).trim() == concat!("interlock ", env!("CARGO_PKG_VERSION")),
        "{}",
        said(&version)
    );
    let help = within(&root, &["operator", "--help"]).await?;
    ensure!(
        help.status.success() && said(&help).contains("--allow-registry"),
        "{}",
        said(&help)
    );

    // It finds names as the kubelet gives them, and the authorities; without these it could speak to no registry.
    std::fs::write(root.join("etc/hosts"), "127.0.0.1 registry.story.test\n")?;
    std::fs::write(
        root.join("cosign.pub"),
        interlock_tests::cosign::KeyPair::generate().await?.public(),
    )?;
    let port = registry.host().rsplit(':').next().context("a port")?;
    let missing = format!("registry.story.test:{port}/no/such:bundle");
    let pull = ["bundle", "pull", "--plain-http", "--key", "/cosign.pub", &missing];
    let answered = within(&root, &pull).await?;
    ensure!(said(&answered).contains("no/such"), "{}", said(&answered));
    ensure!(!said(&answered).contains("no answer"), "{}", said(&answered));
    std::fs::remove_file(root.join("etc/ssl/certs/ca-certificates.crt"))?;
    let bare = within(&root, &pull).await?;
    ensure!(
        said(&bare).contains("check that this machine has CA certificates installed"),
        "{}",
        said(&bare)
    );
    Ok(())
}

async fn recipe(binary: &Path, layout: &Path) -> Result<Output> {
    let mut command = Command::new(repository_root().join("charts/image"));
    Ok(command.arg(binary).arg(layout).output().await?)
}

/// The binary once more, as `make image` links it. Cargo would compile all of its dependencies again for this; they are
/// the same, so what it has compiled for the tests is linked another way, in seconds.
async fn link_statically(folder: &Path) -> Result<PathBuf> {
    let deps = binary()?.with_file_name("deps");
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for entry in std::fs::read_dir(&deps)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("libinterlock-") && path.extension().is_some_and(|ending| ending == "rlib") {
            let found = (path.metadata()?.modified()?, path);
            newest = newest.max(Some(found));
        }
    }
    let (_, library) = newest.with_context(|| format!("no libinterlock in {}: run make build", deps.display()))?;
    let linked = folder.join("interlock");
    let output = Command::new("rustc")
        .current_dir(repository_root())
        .args([
            "--edition=2024",
            "--crate-name=interlock",
            "-Ctarget-feature=+crt-static",
            "-Cstrip=symbols",
        ])
        .arg(format!("--extern=interlock={}", library.display()))
        .arg(format!("-Ldependency={}", deps.display()))
        .arg("-o")
        .arg(&linked)
        .arg("operator/src/main.rs")
        .env("CARGO_PKG_VERSION", env!("CARGO_PKG_VERSION"))
        .output()
        .await?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(linked)
}

async fn crane(arguments: &[&str]) -> Result<String> {
    let output = Command::new(tool("crane")?).args(arguments).output().await?;
    ensure!(
        output.status.success(),
        "crane {}: {}",
        arguments.join(" "),
        said(&output)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The files of an image, as a container would see them.
async fn unpack(reference: &str, root: &Path) -> Result<()> {
    let output = Command::new(tool("crane")?)
        .args(["export", reference, "-"])
        .output()
        .await?;
    ensure!(output.status.success(), "{}", said(&output));
    std::fs::create_dir(root)?;
    tar::Archive::new(output.stdout.as_slice()).unpack(root)?;
    Ok(())
}

/// Runs the image's entry point with `root` as its root: as the image's user where this process may choose one, else
/// as the only user of a namespace of its own.
async fn within(root: &Path, arguments: &[&str]) -> Result<Output> {
    let root_user = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = if root_user {
        let mut command = Command::new("chroot");
        command.arg("--userspec=65532:65532");
        command
    } else {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "chroot"]);
        command
    };
    command.arg(root).arg("/interlock").args(arguments).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    Ok(command.output().await?)
}
