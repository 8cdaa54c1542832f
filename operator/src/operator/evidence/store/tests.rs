//! The store without a network: each test plays the registry. Signatures are those that the real cosign wrote
//! (`bundles/testdata/trust/README.md` says how).

use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{
    Keyed, Means, PublicKey, Revoked, SIGNATURE_PREDICATE, SignatureFormat, Signer, Window,
};
use jiff::Timestamp;

use super::super::question::Again;
use super::*;
use crate::operator::registry::credentials::PullSecret;
use crate::subject::GroupKind;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/trust/",
            $name
        ))
    };
}

const MINUTE: Duration = Duration::from_mins(1);

fn digest() -> Digest {
    file!("subject").trim().parse().unwrap()
}

fn trust(names: &[&str]) -> Arc<TrustPolicy> {
    let key = |name: &str| match name {
        "release" => file!("release.pub"),
        _ => file!("audit.pub"),
    };
    let signers = names
        .iter()
        .map(|name| Signer::with_key(*name, PublicKey::from_pem(key(name)).unwrap()));
    Arc::new(TrustPolicy::new(signers.collect(), 1))
}

#[expect(clippy::unnecessary_wraps, reason = "an outcome, as the others")]
fn signed_by(files: &[&str]) -> Result<Answer, Failure> {
    let evidence = files.iter().map(|file| Evidence {
        media_type: String::new(),
        bytes: file.as_bytes().to_vec(),
        digest: Digest::of(file.as_bytes()),
    });
    Ok(Answer::Signatures(evidence.collect()))
}

fn failed(reason: &str, again: Again, concerns_host: bool) -> Result<Answer, Failure> {
    Err(Failure {
        why: Unavailable {
            reason: reason.to_owned(),
            message: "m".to_owned(),
        },
        again,
        concerns_host,
    })
}

fn key(name: &str) -> SubjectKey {
    SubjectKey {
        kind: GroupKind {
            group: "apps".into(),
            kind: "Deployment".into(),
        },
        namespace: "shop".into(),
        name: name.into(),
    }
}

fn wish(reference: &str, names: &[&str]) -> Wish {
    Wish {
        reference: reference.parse().unwrap(),
        secrets: Arc::default(),
        trust: Ok(trust(names)),
        attestations: Arc::from([]),
    }
}

/// The same, with an attestation of this type by whoever may sign.
fn attesting(wish: &Wish, predicate_type: &str) -> Wish {
    let policy = AttestationPolicy {
        predicate_type: predicate_type.to_owned(),
        trust: wish.trust.as_ref().unwrap().as_ref().clone(),
    };
    Wish {
        attestations: Arc::from([AttestationWish {
            predicate_type: predicate_type.to_owned(),
            policy: Ok(policy),
        }]),
        ..wish.clone()
    }
}

fn pinned() -> String {
    format!("r.example/app@{}", digest())
}

/// A store, and a folder that outlives it.
struct Scene {
    store: Store,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        Self { store, folder }
    }

    fn restart(&mut self) {
        self.store = store(&self.folder);
    }

    /// What is known, in a word; with `…` while an answer is awaited.
    fn says(&self, subject: &str, wish: &Wish) -> String {
        let found = self
            .store
            .look(&key(subject), vec!["release".to_owned()], std::slice::from_ref(wish));
        let word = match &found[0].signature {
            Signature::NotRequired => "NotRequired".to_owned(),
            Signature::Verified { signers, .. } => format!("Verified by {}", signers.join(" ")),
            Signature::Rejected { reason, .. } => reason.clone(),
            Signature::Unavailable(why) => why.reason.clone(),
        };
        format!("{word}{}", if found[0].pending_since.is_some() { "…" } else { "" })
    }

    /// What is known of the only attestation that is wished for, in words; with `…` while an answer is awaited.
    fn attested(&self, subject: &str, wish: &Wish) -> String {
        let names = vec!["release".to_owned()];
        let found = self.store.look(&key(subject), names, std::slice::from_ref(wish));
        let said = match &found[0].attestations[0].found {
            Source::Complete(attested) => format!("{} count", attested.items.len()),
            Source::Unavailable(why) => why.reason.clone(),
        };
        format!("{said}{}", if found[0].pending_since.is_some() { "…" } else { "" })
    }

    /// The only question that is due.
    fn one(&self, now: Instant) -> Question {
        let (mut questions, _) = self.store.due(now);
        assert_eq!(questions.len(), 1, "{questions:?}");
        questions.remove(0)
    }

    fn answer(&self, outcome: Result<Answer, Failure>) -> Vec<SubjectKey> {
        let question = self.one(Instant::now() + 10 * MINUTE);
        self.store.answered(&question, outcome, Instant::now())
    }

    fn asks_nothing(&self) -> bool {
        self.store.due(Instant::now() + 100 * MINUTE).0.is_empty()
    }
}

fn store(folder: &tempfile::TempDir) -> Store {
    let cache = EvidenceCache::open(folder.path()).unwrap();
    Store::new(cache, 5 * MINUTE, Arc::default())
}

const RELEASE: &str = file!("signed-by-release.json");
const AUDIT: &str = file!("signed-by-audit.json");

#[test]
fn one_question_serves_every_workload_and_a_verified_digest_is_not_asked_for_again() {
    let scene = Scene::new();
    let wish = wish(&pinned(), &["release"]);
    for subject in ["a", "b", "c"] {
        assert_eq!(scene.says(subject, &wish), "EvidencePending…");
    }
    let mut concerned = scene.answer(signed_by(&[RELEASE]));
    concerned.sort();
    assert_eq!(concerned, [key("a"), key("b"), key("c")]);
    for subject in ["a", "b", "new"] {
        assert_eq!(scene.says(subject, &wish), "Verified by release");
    }
    assert!(scene.asks_nothing());
}

#[test]
fn a_tag_is_resolved_and_its_digest_is_what_is_asked_about() {
    let scene = Scene::new();
    let wish = wish("r.example/app:1", &["release"]);
    assert_eq!(scene.says("a", &wish), "EvidencePending…");
    assert_eq!(scene.answer(Ok(Answer::Leads(digest()))), [key("a")]);
    assert_eq!(scene.says("a", &wish), "EvidencePending…");
    let question = scene.one(Instant::now());
    assert_eq!(
        (question.kind(), question.repository().to_string().as_str()),
        ("signatures", "r.example/app")
    );
    assert_eq!(
        scene.store.answered(&question, signed_by(&[RELEASE]), Instant::now()),
        [key("a")]
    );
    assert_eq!(scene.says("a", &wish), "Verified by release");
    // Again at the interval: it leads where it led, and nobody needs to look.
    assert!(scene.store.due(Instant::now() + 4 * MINUTE).0.is_empty());
    assert_eq!(scene.answer(Ok(Answer::Leads(digest()))), []);
    // Where it leads is not known while the registry is away, and known again after.
    assert_eq!(
        scene.answer(failed("RegistryUnavailable", Again::Soon(None), true)),
        [key("a")]
    );
    assert_eq!(scene.says("a", &wish), "RegistryUnavailable");
    assert_eq!(scene.answer(Ok(Answer::Leads(digest()))), [key("a")]);
    assert_eq!(scene.says("a", &wish), "Verified by release");
    // It moves.
    assert_eq!(scene.answer(Ok(Answer::Leads(Digest::of(b"other")))), [key("a")]);
    assert_eq!(scene.says("a", &wish), "EvidencePending…");
}

#[test]
fn an_outage_is_never_unsigned_and_what_was_proven_stays() {
    let mut scene = Scene::new();
    let wish = wish(&pinned(), &["release"]);
    assert_eq!(scene.says("a", &wish), "EvidencePending…");
    assert_eq!(
        scene.answer(failed("RegistryThrottled", Again::Soon(None), true)),
        [key("a")]
    );
    assert_eq!(scene.says("a", &wish), "RegistryThrottled");
    assert_eq!(
        scene.answer(failed("RegistryThrottled", Again::Soon(None), true)),
        [],
        "nothing new"
    );
    assert_eq!(scene.answer(signed_by(&[])), [key("a")]);
    assert_eq!(scene.says("a", &wish), "Unsigned");
    // An answer that was complete stands until there is a better one.
    assert_eq!(scene.answer(failed("NotFound", Again::Later, false)), [key("a")]);
    assert_eq!(scene.says("a", &wish), "Unsigned");
    scene.answer(signed_by(&[RELEASE]));
    assert_eq!(scene.says("a", &wish), "Verified by release");
    scene.restart();
    assert_eq!(scene.says("a", &wish), "Verified by release");
    assert!(scene.asks_nothing());
}

#[test]
fn what_cannot_be_answered_is_asked_for_less_and_less() {
    let scene = Scene::new();
    scene.says("a", &wish(&pinned(), &["release"]));
    let question = scene.one(Instant::now());
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let now = Instant::now();
        let failure = failed("NotFound", Again::Later, false);
        scene.store.answered(&question, failure, now);
        let next = scene.store.due(now).1.unwrap();
        pauses.push(next.duration_since(now).as_secs());
    }
    assert_eq!(pauses, [15, 15, 15, 16, 32, 64, 128, 256, 300]);
}

/// A log's time may lie ahead of the clock here, and a second later it does not.
#[test]
fn what_failed_for_its_time_is_checked_again_although_nothing_is_new() {
    let scene = Scene::new();
    let keyed = Keyed {
        key: PublicKey::from_pem(file!("release.pub")).unwrap(),
        demands: None,
        window: Window {
            start: Some(Timestamp::UNIX_EPOCH),
            end: None,
        },
    };
    let signer = Signer::new("release", Means::Key(keyed));
    let wish = Wish {
        trust: Ok(Arc::new(TrustPolicy::new(vec![signer], 1))),
        ..wish(&pinned(), &["release"])
    };
    scene.says("a", &wish);
    for _ in 0..3 {
        assert_eq!(scene.answer(signed_by(&[RELEASE])), [key("a")]);
        assert_eq!(scene.says("a", &wish), "NoTrustedTime");
    }
}

/// As of signatures: an answer from before somebody asked does not say that there is none.
#[test]
fn no_attestation_is_believed_of_an_answer_that_is_newer_than_the_wish() {
    let scene = Scene::new();
    let plain = wish(&pinned(), &["release"]);
    scene.says("a", &plain);
    scene.answer(signed_by(&[RELEASE]));
    assert_eq!(scene.says("a", &plain), "Verified by release");
    let attesting = attesting(&plain, "https://slsa.dev/provenance/v1");
    let says = || scene.attested("a", &attesting);
    assert_eq!(says(), "EvidencePending…");
    let question = scene.one(Instant::now());
    let away = failed("RegistryUnavailable", Again::Soon(None), false);
    assert_eq!(scene.store.answered(&question, away, Instant::now()), [key("a")]);
    assert_eq!(says(), "RegistryUnavailable");
    assert_eq!(scene.answer(signed_by(&[RELEASE])), [key("a")]);
    assert_eq!(says(), "0 count");
    scene.store.tidy(&[key("a")]).unwrap();
    assert_eq!(says(), "0 count", "it is not forgotten who asked when");
    // Who asks again after nobody did asks anew.
    assert_eq!(scene.says("a", &plain), "Verified by release");
    scene.store.tidy(&[key("a")]).unwrap();
    assert_eq!(says(), "EvidencePending…");
}

#[test]
fn after_a_restart_what_was_not_verified_is_asked_for_before_it_is_believed() {
    let mut scene = Scene::new();
    let wish = wish(&pinned(), &["release"]);
    scene.says("a", &wish);
    scene.answer(signed_by(&[AUDIT]));
    assert_eq!(scene.says("a", &wish), "UntrustedKey");
    scene.restart();
    assert_eq!(scene.says("a", &wish), "UntrustedKey…");
    scene.answer(failed("RegistryUnavailable", Again::Soon(None), true));
    assert_eq!(scene.says("a", &wish), "UntrustedKey");
    scene.restart();
    assert_eq!(scene.says("a", &wish), "UntrustedKey…");
    scene.answer(signed_by(&[AUDIT, RELEASE]));
    assert_eq!(scene.says("a", &wish), "Verified by release");
}

#[test]
fn another_key_costs_a_question_only_where_it_changes_the_result() {
    let scene = Scene::new();
    let mut wish = wish(&pinned(), &["release"]);
    scene.says("a", &wish);
    scene.answer(signed_by(&[RELEASE, AUDIT]));
    assert_eq!(scene.store.naming("release"), [key("a")]);
    assert!(scene.store.naming("audit").is_empty());
    for (names, want) in [
        (&["release"][..], "Verified by release"),
        (&["audit"], "Verified by audit"),
        (&["release", "audit"], "Verified by audit release"),
    ] {
        wish.trust = Ok(trust(names));
        assert_eq!(scene.says("a", &wish), want);
        assert!(scene.asks_nothing());
    }
    // The Signer is away: not known, nothing asked, nothing forgotten.
    wish.trust = Err(Unavailable {
        reason: "SignerNotFound".to_owned(),
        message: String::new(),
    });
    assert_eq!(scene.says("a", &wish), "SignerNotFound");
    scene.store.tidy(&[key("a")]).unwrap();
    assert!(scene.asks_nothing());
    wish.trust = Ok(trust(&["release"]));
    assert_eq!(scene.says("a", &wish), "Verified by release");
    // Two terms that what is there does not meet: one question answers both. Until then an old answer says nothing.
    let mut strict = trust(&["release"]).as_ref().clone();
    strict.threshold = 2;
    let strict = Wish {
        trust: Ok(Arc::new(strict)),
        ..wish
    };
    assert_eq!(scene.says("b", &strict), "EvidencePending…");
    scene.answer(failed("RegistryUnavailable", Again::Soon(None), true));
    assert_eq!(
        scene.says("b", &strict),
        "RegistryUnavailable",
        "never a word of what was not asked"
    );
    assert_eq!(scene.answer(signed_by(&[RELEASE, AUDIT])).len(), 2);
    assert_eq!(scene.says("b", &strict), "ThresholdNotMet");
}

#[test]
fn what_is_revoked_turns_without_a_word_of_the_registry() {
    let scene = Scene::new();
    let good = wish(&pinned(), &["release"]);
    scene.says("a", &good);
    scene.answer(signed_by(&[RELEASE]));
    assert_eq!(scene.says("a", &good), "Verified by release");
    let under = |revoked: Revoked, wish: &Wish| {
        let trust = TrustPolicy {
            revoked: Arc::new(revoked),
            ..trust(&["release"]).as_ref().clone()
        };
        Wish {
            trust: Ok(Arc::new(trust)),
            ..wish.clone()
        }
    };
    // The artifact itself, and one that no registry was asked about.
    let other = Digest::of(b"never asked about");
    let digests = || Revoked {
        digests: [digest(), other].into(),
        ..Revoked::default()
    };
    let unseen = wish(&format!("r.example/app@{other}"), &["release"]);
    assert_eq!(scene.says("a", &under(digests(), &good)), "Revoked");
    assert_eq!(scene.says("b", &under(digests(), &unseen)), "Revoked");
    assert!(scene.asks_nothing());
    let attested = |wish: &Wish| scene.attested("a", &attesting(wish, SIGNATURE_PREDICATE));
    assert_eq!(attested(&good), "1 count");
    assert_eq!(attested(&under(digests(), &good)), "0 count");
    assert_eq!(scene.says("a", &under(digests(), &good)), "Revoked");
    scene.store.tidy(&[key("a"), key("b")]).unwrap();
    assert_eq!(scene.says("a", &good), "Verified by release");
    // The key: told at once; somebody else may have signed meanwhile, which only the registry knows.
    scene.store.forget(&key("b"));
    let fingerprint = PublicKey::from_pem(file!("release.pub")).unwrap().fingerprint();
    let keys = Revoked {
        keys: [fingerprint].into(),
        ..Revoked::default()
    };
    let lost = under(keys, &good);
    assert_eq!(scene.says("a", &lost), "Revoked…");
    scene.answer(failed("RegistryUnavailable", Again::Soon(None), true));
    assert_eq!(scene.says("a", &lost), "Revoked");
    assert_eq!(attested(&lost), "0 count…");
    scene.answer(failed("RegistryUnavailable", Again::Soon(None), true));
    assert_eq!(attested(&lost), "0 count", "it is refused, and not unknown");
    assert_eq!(scene.says("a", &good), "Verified by release");
    assert!(scene.asks_nothing());
}

#[test]
fn the_old_format_is_asked_for_only_where_it_counts_and_never_missed_unasked() {
    let mut scene = Scene::new();
    let mut wish = wish(&pinned(), &["release"]);
    let legacy = |question: &Question| matches!(question, Question::Signatures(artifact) if artifact.legacy);
    assert_eq!(scene.says("a", &wish), "EvidencePending…");
    let question = scene.one(Instant::now());
    assert!(!legacy(&question));
    scene.store.answered(&question, signed_by(&[]), Instant::now());
    assert_eq!(scene.says("a", &wish), "Unsigned");
    // The Signer comes to take it: that there is none of the others says nothing.
    let usual = wish.clone();
    let mut trust = trust(&["release"]).as_ref().clone();
    trust.signers[0].formats.insert(SignatureFormat::Legacy);
    wish.trust = Ok(Arc::new(trust));
    assert_eq!(scene.says("a", &wish), "EvidencePending…");
    let question = scene.one(Instant::now());
    assert!(legacy(&question));
    let away = failed("RegistryUnavailable", Again::Soon(None), true);
    scene.store.answered(&question, away, Instant::now());
    assert_eq!(scene.says("a", &wish), "RegistryUnavailable");
    assert_eq!(scene.answer(signed_by(&[RELEASE])), [key("a")]);
    assert_eq!(scene.says("a", &wish), "Verified by release");
    // While the Signer is away it is kept, in memory and on disk, and apart.
    let verified = wish.trust.clone();
    wish.trust = Err(Unavailable {
        reason: "SignerNotReady".to_owned(),
        message: String::new(),
    });
    assert_eq!(scene.says("a", &wish), "SignerNotReady");
    scene.store.tidy(&[key("a")]).unwrap();
    wish.trust = verified;
    for _ in 0..2 {
        assert_eq!(scene.says("a", &wish), "Verified by release");
        assert!(scene.asks_nothing());
        scene.restart();
    }
    assert_eq!(scene.says("b", &usual), "Unsigned…", "of an earlier life");
}

#[test]
fn a_registry_in_trouble_is_asked_one_question_and_others_are_not_held_up() {
    let scene = Scene::new();
    let hex = |number: usize| Digest::of(&[u8::try_from(number).unwrap()]);
    for number in 0..20 {
        scene.says(
            &format!("s{number}"),
            &wish(&format!("r.example/app@{}", hex(number)), &["release"]),
        );
    }
    for number in 0..20 {
        scene.says(
            &format!("o{number}"),
            &wish(&format!("other.example/app@{}", hex(number)), &["release"]),
        );
    }
    let now = Instant::now();
    let (questions, _) = scene.store.due(now);
    let of = |host: &str| questions.iter().filter(|one| one.host() == host).count();
    assert_eq!(questions.len(), AT_ONCE);
    assert!(of("r.example") <= 6 && of("other.example") <= 6);
    for question in &questions {
        scene
            .store
            .answered(question, failed("RegistryTimeout", Again::Soon(None), true), now);
    }
    assert!(scene.store.due(now).0.is_empty(), "both rest");
    let (questions, _) = scene.store.due(now + Duration::from_secs(3));
    assert_eq!(questions.len(), 2, "one question each finds out");
    // What was not asked says what is in the way, and may still come.
    let waiting = scene.says("s19", &wish(&format!("r.example/app@{}", hex(19)), &["release"]));
    assert_eq!(waiting, "RegistryTimeout…");
    for question in &questions {
        scene
            .store
            .answered(question, signed_by(&[]), now + Duration::from_secs(3));
    }
    assert_eq!(scene.store.due(now + Duration::from_secs(4)).0.len(), AT_ONCE);
}

#[test]
fn a_registry_that_names_a_time_is_left_alone_until_then() {
    let scene = Scene::new();
    scene.says("a", &wish(&pinned(), &["release"]));
    let question = scene.one(Instant::now());
    let now = Instant::now();
    scene.store.answered(
        &question,
        failed("RegistryThrottled", Again::Soon(Some(MINUTE)), true),
        now,
    );
    let (questions, next) = scene.store.due(now + Duration::from_secs(59));
    assert_eq!((questions.len(), next), (0, Some(now + MINUTE)));
    assert_eq!(scene.store.due(now + MINUTE).0.len(), 1);
}

#[test]
fn what_nobody_wants_is_dropped_once_everybody_was_looked_at() {
    let scene = Scene::new();
    let wish = wish(&pinned(), &["release"]);
    scene.says("a", &wish);
    scene.answer(signed_by(&[RELEASE]));
    let files = || std::fs::read_dir(scene.folder.path()).unwrap().count();
    assert_eq!(files(), 1);
    scene.store.forget(&key("a"));
    scene.store.tidy(&[key("a"), key("not looked at yet")]).unwrap();
    assert_eq!(files(), 1);
    assert!(scene.store.state().artifacts.is_empty());
    scene.store.tidy(&[key("a")]).unwrap();
    assert_eq!(files(), 0);
}

#[test]
fn what_needs_other_secrets_is_asked_apart() {
    let scene = Scene::new();
    let one = wish(&pinned(), &["release"]);
    let other = Wish {
        secrets: Arc::from([PullSecret {
            namespace: "interlock-system".to_owned(),
            name: "pull".to_owned(),
            is_optional: false,
        }]),
        ..one.clone()
    };
    scene.says("a", &one);
    scene.says("b", &other);
    assert_eq!(scene.store.due(Instant::now()).0.len(), 2);
}

#[test]
fn questions_that_ended_abnormally_are_asked_again() {
    let scene = Scene::new();
    scene.says("a", &wish(&pinned(), &["release"]));
    scene.one(Instant::now());
    assert!(scene.asks_nothing());
    scene.store.start_over();
    scene.one(Instant::now());
}

/// As much as a registry may have: it is held on disk or nowhere.
#[test]
fn what_is_too_large_for_memory_and_finds_no_place_on_disk_is_no_answer() {
    let scene = Scene::new();
    let wish = wish(&pinned(), &["release"]);
    let large = "x".repeat(100_000);
    let both = [RELEASE, large.as_str()];
    assert_eq!(scene.says("a", &wish), "EvidencePending…");
    std::fs::remove_dir_all(scene.folder.path()).unwrap();
    assert_eq!(scene.answer(signed_by(&both)), [key("a")]);
    assert_eq!(scene.says("a", &wish), "EvidenceNotKept");
    // What is small is held in memory, and what is large is taken once there is room.
    assert_eq!(scene.answer(signed_by(&[RELEASE])), [key("a")]);
    assert_eq!(scene.says("a", &wish), "Verified by release");
    std::fs::create_dir_all(scene.folder.path()).unwrap();
    let other = Scene::new();
    assert_eq!(other.says("a", &wish), "EvidencePending…");
    assert_eq!(other.answer(signed_by(&both)), [key("a")]);
    assert_eq!(other.says("a", &wish), "Verified by release");
}
