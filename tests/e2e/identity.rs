//! Which bundle it is, and what is asked for: another bundle, an older one and a wrong spec are refused by name; going
//! back takes a pinned digest, and a good update takes over at the next poll, without a restart.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::trial::{PATH, Refusal, Stage, Trial, digest_of, refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_bundle_and_an_older_one_are_refused_and_a_good_update_takes_over() -> Result<()> {
    let mut trial = Trial::start(&[]).await?;
    for (number, (case, bundle, want)) in others(&trial)?.into_iter().enumerate() {
        let tag = format!("case-{number}");
        trial.platform.publish(PATH, &tag, &bundle).await?;
        trial.follow(&tag).await?;
        let refused = trial.refuses(case, want).await?;
        ensure!(
            refused.status.unwrap_or_default().resolved_digest.as_deref() != Some(&trial.digest),
            "{case}"
        );
    }

    for (case, fields, want) in wrong_specs() {
        let mut spec = json!({"ref": {"tag": "stable"}});
        if let (Some(spec), Value::Object(fields)) = (spec.as_object_mut(), fields) {
            spec.extend(fields);
        }
        trial.ask(spec).await?;
        trial.refuses(case, want).await?;
    }

    back_and_forward(&trial).await?;
    // All this was one process.
    trial.platform.operator.process().still_runs()
}

/// Truly signed bundles that are not the one asked for.
fn others(trial: &Trial) -> Result<Vec<(&'static str, Vec<u8>, Refusal)>> {
    let odd = |field: &'static str, value: Value| {
        trial.with_manifest(move |manifest| match field {
            "revision" => manifest["revision"] = value,
            _ => manifest["metadata"] = value,
        })
    };
    Ok(vec![
        (
            "another bundle's signed image",
            odd("metadata", json!({"name": "other"}))?,
            refusal(
                Stage::Verifying,
                "NameMismatch",
                "calls itself \"other\", not \"trial\"",
            ),
        ),
        (
            "a bundle without a name",
            odd("metadata", json!({}))?,
            refusal(
                Stage::Verifying,
                "NameMissing",
                "has no metadata.name: set it to \"trial\"",
            ),
        ),
        (
            "a bundle without a revision",
            odd("revision", json!(""))?,
            refusal(
                Stage::Verifying,
                "RevisionMissing",
                "build it with `opa build --revision`",
            ),
        ),
        (
            "a revision that cannot be compared",
            odd("revision", json!("spring"))?,
            refusal(
                Stage::Verifying,
                "RollbackRefused",
                "spring and 1.0.0, the last good one, cannot be ordered",
            ),
        ),
        (
            "an older signed revision",
            odd("revision", json!("0.9.0"))?,
            refusal(
                Stage::Verifying,
                "RollbackRefused",
                "revision 0.9.0 is older than 1.0.0",
            ),
        ),
    ])
}

/// Fields of the spec in which something is wrong.
fn wrong_specs() -> Vec<(&'static str, Value, Refusal)> {
    vec![
        (
            "a signer that is not there",
            json!({"signedBy": {"signers": ["ghost"]}}),
            refusal(
                Stage::AskingAgain,
                "SignerNotFound",
                "there is no Signer ghost: create it",
            ),
        ),
        (
            "a range that is none",
            json!({"ref": {"semver": "spring"}}),
            refusal(
                Stage::Asking,
                "InvalidReference",
                "spec.ref.semver \"spring\" is no range of versions",
            ),
        ),
        (
            "a size that is none, of something never looked at",
            json!({"limits": {"memory": "1.5Gi"}}),
            refusal(
                Stage::Asking,
                "InvalidLimits",
                "spec.limits.memory \"1.5Gi\" is no size",
            ),
        ),
    ]
}

async fn back_and_forward(trial: &Trial) -> Result<()> {
    // Pinned by digest, the older one may come back; from there the tag leads forward again.
    let older = trial.with_manifest(|manifest| manifest["revision"] = json!("0.9.0"))?;
    let older = trial.platform.publish(PATH, "older", &older).await?;
    trial.ask(json!({"ref": {"digest": digest_of(&older)}})).await?;
    trial.judging(digest_of(&older)).await?;
    trial.still_judges(digest_of(&older)).await?;
    trial.follow("stable").await?;
    trial.judging(&trial.digest).await?;

    // Polled without anybody's hand: the tag moves to an unsigned image, then to a good update.
    trial
        .ask(json!({"ref": {"tag": "stable"}, "pollInterval": "10s"}))
        .await?;
    trial.judging(&trial.digest).await?;
    trial.push("stable", &trial.fresh()?).await?;
    let unsigned = refusal(Stage::Verifying, "Unsigned", "has no signature");
    trial.refuses("the tag moved to an unsigned image", unsigned).await?;
    let update = trial.with_manifest(|manifest| manifest["revision"] = json!("1.1.0"))?;
    let update = trial.platform.publish(PATH, "stable", &update).await?;
    trial.judging(digest_of(&update)).await?;
    trial.still_judges(digest_of(&update)).await
}
