//! The command line: arguments first, then one module a command.
//!
//! Exit codes are the same for every command: 0 good, 1 judged bad, 2 bad input or usage, 3 not decided.

mod bundle;
mod bundles;
mod check;
mod crds;
mod eval;
mod files;
mod operate;
mod output;
mod signers;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use interlock_bundles::model::directory::DirectoryError;
use interlock_bundles::registry::RegistryError;
use interlock_bundles::trust::Untrusted;

/// Judges applications, models, data pipelines and routes on Kubernetes by signed policy bundles.
#[derive(Parser)]
#[command(name = "interlock", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the controllers: watches, judges, reports verdicts as conditions.
    Operator(operate::Arguments),
    /// Judge manifests without a cluster.
    Check(check::Arguments),
    /// Evaluate one entry point of a bundle and print OPA's result document.
    Eval(eval::Arguments),
    /// Pull, push, verify, inspect and lint bundles.
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// Check signatures of images, bundles, models and files, every check by name.
    #[command(subcommand)]
    Verify(verify::Command),
    /// Print the CustomResourceDefinitions, or apply them.
    Crds(crds::Arguments),
}

/// How a command ended, apart from errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Good: allowed, verified, done.
    Good = 0,
    /// Judged bad: denied, refused.
    Bad = 1,
    /// Not decided.
    Open = 3,
}

/// Bad input or usage.
const USAGE: u8 = 2;

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start")),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Operator(arguments) => operate::run(arguments).await,
            Command::Check(arguments) => check::run(arguments).await,
            Command::Eval(arguments) => eval::run(&arguments),
            Command::Bundle(command) => bundle::run(command).await,
            Command::Verify(command) => verify::run(command).await,
            Command::Crds(arguments) => crds::run(&arguments).await,
        }
    });
    // A blocked thread, for instance one that reads standard input, must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(ending) => ExitCode::from(ending as u8),
        Err(error) => failed(&error),
    }
}

/// The error and its causes on one line, on standard error. A registry that does not answer or answers wrongly, and a model
/// that somebody writes to, leave the question open; what is not trusted is judged bad; everything else is for the user to mend.
fn failed(error: &anyhow::Error) -> ExitCode {
    // The words of rustls for an answer that is no TLS; its error lies too deep in others to be asked for.
    let hint = if error
        .chain()
        .any(|cause| cause.to_string().contains("InvalidContentType"))
    {
        ": it does not speak TLS; if that is meant to be so, add --plain-http"
    } else {
        ""
    };
    output::error(&format!("interlock: {error:#}{hint}"));
    ExitCode::from(code(error))
}

fn code(error: &anyhow::Error) -> u8 {
    if error.chain().any(<dyn std::error::Error>::is::<Untrusted>) {
        return Ending::Bad as u8;
    }
    let registry = error.chain().find_map(|cause| cause.downcast_ref::<RegistryError>());
    let model = error.chain().find_map(|cause| cause.downcast_ref::<DirectoryError>());
    let is_changing = matches!(model, Some(DirectoryError::Changed { .. }));
    if is_changing || registry.is_some_and(RegistryError::is_at_fault) {
        Ending::Open as u8
    } else {
        USAGE
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use interlock_bundles::digest::Digest;
    use interlock_bundles::trust::Untrusted;

    #[test]
    fn arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_not_trusted_is_judged_bad_and_no_wrong_usage() {
        let unsigned = Untrusted::Unsigned {
            subject: Digest::of(b"bundle"),
        };
        assert_eq!(super::code(&anyhow::Error::new(unsigned).context("bundle x")), 1);
        assert_eq!(super::code(&anyhow::anyhow!("no such file")), 2);
    }
}
