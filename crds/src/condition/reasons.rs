//! Every reason that a status can carry, with what it means and what to do: a line a reason.
//!
//! `docs/conditions.md` is made from this table, and a test compares it with the sources, so that a reason that is
//! not here cannot be written, and one that nothing writes any more cannot stay. A policy may give a reason of its
//! own for a gate that is Unknown; that word is then the bundle author's to document.

/// One reason.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// The stable CamelCase word.
    pub name: &'static str,
    /// Where it shows.
    pub on: &'static [On],
    /// What it means, in one sentence without its full stop.
    pub meaning: &'static str,
    /// What to do about it; empty where nothing is to be done.
    pub action: &'static str,
}

/// Where a reason shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A condition of a TrustRoot.
    TrustRoot,
    /// A condition of a Signer.
    Signer,
    /// A condition of a PolicyBundle.
    PolicyBundle,
    /// A condition of a GovernanceTrack.
    GovernanceTrack,
    /// A condition of a Release.
    Release,
    /// What the command line prints, or the operator's log.
    CommandLine,
}

impl On {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrustRoot => "TrustRoot",
            Self::Signer => "Signer",
            Self::PolicyBundle => "PolicyBundle",
            Self::GovernanceTrack => "GovernanceTrack",
            Self::Release => "Release",
            Self::CommandLine => "command line",
        }
    }
}

/// The entry called `name`.
pub fn find(name: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| reason.name == name)
}

const fn r(name: &'static str, on: &'static [On], meaning: &'static str, action: &'static str) -> Reason {
    Reason {
        name,
        on,
        meaning,
        action,
    }
}

const O: On = On::TrustRoot;
const S: On = On::Signer;
const B: On = On::PolicyBundle;
const T: On = On::GovernanceTrack;
const R: On = On::Release;
const C: On = On::CommandLine;

/// All of them, by theme. A line a reason, however long: that is how it is looked up and added to.
#[rustfmt::skip]
pub const REASONS: &[Reason] = &[
    // All is well.
    r("RootAccepted", &[O], "the trusted_root.json is the one whose digest is given, and can be used", ""),
    r("KeyAccepted", &[S], "the key can be read, and its signatures count", ""),
    r("IdentityAccepted", &[S], "the identities can be read, the TrustRoot is ready, and their signatures count", ""),
    r("AuthorityAccepted", &[S], "the certificate authority can be read, and signatures with its certificates for the subjects count", ""),
    r("Judging", &[B], "the artifact that is asked for is verified, compiled and judges", ""),
    r("Signed", &[B], "the artifact is signed as `spec.signedBy` asks", ""),
    r("Compiled", &[B], "the artifact is compiled and has passed its self-test", ""),
    r("Governing", &[T], "every kind is watched and every bundle judges", ""),
    r("Allowed", &[R], "every gate that is enforced passes, or none applies", ""),
    r("Operating", &[R], "every gate that only a running workload can meet passes", ""),
    r("Assigned", &[R], "exactly one track governs the workload", ""),

    // What gates say.
    r("GateDenied", &[R], "an enforced gate fails; the message names the first, `status.gates` all", "do what the gate's `remediation` says"),
    r("AwaitingEvidence", &[R], "evidence that an enforced gate needs is not there yet", "wait, or bring the evidence that the gate names"),
    r("Undecided", &[R], "an enforced gate could not find out, and gives no closer reason", "read the gate's message in `status.gates`"),
    r("NoDecision", &[R], "a gate of the bundle's catalogue came to no result, mostly because a field it reads is missing", "tell the bundle's publisher: a rule must say `pass`, or why not"),
    r("NotYetListed", &[R], "what a gate asks about has not been listed yet", "wait: it is judged again by itself"),

    // Which workload, which track.
    r("TrackConflict", &[R], "several tracks of the same priority claim the workload", "give one of them a higher `spec.priority`"),
    r("NoTrack", &[R], "no track matches the workload that this Release declares", "extend a track's `spec.match`, or delete the Release"),
    r("Controlled", &[R], "another workload controls this one, and is governed in its place", "declare a Release for that one"),
    r("SubjectNotFound", &[R], "the workload that this Release declares does not exist yet", "apply it, or correct `spec.subject`"),
    r("DuplicateSubject", &[R], "two Releases declare the same workload", "keep one of them"),
    r("BundleNotFound", &[T, R], "the track names a PolicyBundle that does not exist", "create it, or correct `spec.bundles`"),
    r("BundleNotReady", &[T, R], "the PolicyBundle has no bundle that works yet", "read its `Ready` condition"),
    r("StatusRefused", &[R], "the API server does not take the status, mostly because it is too large, so nothing is said of the workload", "shorten what is odd in the workload, for example a name of thousands of characters"),
    r("EvaluationFailed", &[R], "an evaluation ended abnormally", "wait: it is tried again within a minute; report it if it comes again"),
    r("KindNotFound", &[B, T, R], "the API server does not serve the kind", "install what provides it, or correct `spec.match.kinds`"),
    r("KindNotListable", &[T, R], "the kind cannot be listed and watched", "name another kind in `spec.match.kinds`"),
    r("KindNotNamespaced", &[T, R], "the kind is cluster-scoped", "name a namespaced kind in `spec.match.kinds`"),
    r("VersionMismatch", &[T], "the kind is read in another version than the track asks for", "leave `spec.match.kinds[].version` out, or ask for the same in all tracks"),
    r("ListFailed", &[B, T, R], "the API server answers, but fails to list the kind", "read the operator's log; often a conversion webhook of that kind is down"),
    r("WatchEnded", &[B, T, R], "the watch of the kind ended; it is started again", "wait"),

    // Keys and credentials.
    r("KeyRejected", &[S], "the key cannot be read, or is of a kind that is not accepted", "paste the content of `cosign.pub`"),
    r("MalformedKey", &[R, C], "the text is not one PEM public key", "give the content of `cosign.pub`"),
    r("UnsupportedKey", &[R, C], "the key is of a kind that is not accepted", "use ECDSA P-256, P-384 or P-521, Ed25519, or RSA of 2048 bits or more"),
    r("InvalidIdentity", &[S], "it names nobody, a pattern or claim in it is none, or what is demanded has no TrustRoot to go by, or contradicts itself", "correct the field that the message names"),
    r("TrustRootNotFound", &[S], "the Signer names a TrustRoot that does not exist", "create it, or correct the name"),
    r("TrustRootNotReady", &[S], "the TrustRoot cannot be used, or has nobody whose word the Signer demands", "read its `Ready` condition, and the message"),
    r("Expired", &[O, S], "the key, the last root certificate, or the last of those whose word is needed, has ended, so nothing new can be signed; what was signed before counts", "give the TrustRoot a newer trusted_root.json and its digest; for a key whose time is over, make a Signer of the next one"),
    r("ConfigMapNotFound", &[O], "there is no ConfigMap of this name in the operator's namespace", "create it there, or correct `spec.configMap`"),
    r("ConfigMapKeyNotFound", &[O], "the ConfigMap has no such key", "put the trusted_root.json there, or correct `spec.configMap.key`"),
    r("MalformedTrustRoot", &[O, C], "the text is no `trusted_root.json`", "give the file that `cosign trusted-root create` writes"),
    r("UnusableTrustRoot", &[O, C], "a key or certificate in the trust root cannot be used", "make it anew with `cosign trusted-root create`"),
    r("UnusableAuthority", &[S, C], "the text holds no certificates of an authority that can be used", "give its root certificate in PEM"),
    r("SignerNotFound", &[B, T, R], "`spec.signedBy` names a Signer that does not exist", "create it, or correct the name"),
    r("MalformedRevocation", &[B, T, R], "a Revocation cannot be read, so it is not known what counts no more", "correct the field that the message names"),
    r("SignerNotReady", &[B, T, R], "a Signer of `spec.signedBy` cannot be used", "read that Signer's `Ready` condition"),
    r("PullSecretNotFound", &[B, R], "there is no Secret of this name in the operator's namespace", "`kubectl create secret docker-registry` there"),
    r("PullSecretInvalid", &[B, R], "the Secret holds no usable Docker configuration", "make it with `kubectl create secret docker-registry`"),
    r("PullSecretUnreadable", &[B, R], "the operator cannot read the Secret", "let its ServiceAccount get that Secret"),

    // What the registry does.
    r("InvalidReference", &[B, R], "`spec.url` or `spec.ref`, or the name of an image, does not name an artifact", "correct it as the message says"),
    r("InvalidLimits", &[B], "a size in `spec.limits` is none", "write for example `256Mi`"),
    r("InvalidTag", &[C], "this cannot be a tag", "use letters, digits, `.`, `_` and `-`, at most 128"),
    r("InvalidRegistrySettings", &[C], "a registry given on the command line cannot be read", "write `HOST[:PORT]` or `HOST[:PORT]/PATH`"),
    r("RegistryNotAllowed", &[B, R, C], "the operator may not contact this registry; nothing was sent", "name it in `--allow-registry`"),
    r("Unauthorized", &[B, R, C], "the registry wants a password, or another one", "give `spec.pullSecret` the right credentials"),
    r("Forbidden", &[O, B, T, R, C], "the registry, or the API server, does not allow it", "grant what the message names: a right in the registry, or a verb of the operator's ServiceAccount"),
    r("NotFound", &[B, R, C], "the registry has no such repository, tag or digest", "push it, or correct `spec.url` and `spec.ref`"),
    r("NoMatchingVersion", &[B, C], "no tag lies inside the range", "push one, or widen `spec.ref.semver`"),
    r("RegistryThrottled", &[B, R, C], "the registry asks to slow down", "wait; a longer `spec.pollInterval` helps"),
    r("RegistryUnavailable", &[B, R, C], "the registry cannot be reached, or fails", "wait: it is asked again by itself"),
    r("RegistryTimeout", &[B, R, C], "the registry did not answer completely in time", "wait: it is asked again by itself"),
    r("SignaturesIncomplete", &[B, R, C], "the registry lists a signature that it then does not have", "wait; if it stays, sign again"),
    r("DigestMismatch", &[O, B, R, C], "the registry's bytes, or those of a trusted_root.json, are not those of the digest", "push the artifact again, and distrust what lies between; of a TrustRoot, see whether `spec.digest` or the file is right"),
    r("LimitExceeded", &[B, R, C], "an answer of the registry is larger than what is accepted", "push a smaller artifact, or remove signatures"),
    r("MalformedAnswer", &[B, R, C], "the registry's answer is none that the protocol knows", "check that the address is a registry's"),
    r("RedirectRefused", &[B, R, C], "the registry redirects to where it must not", "allow the other host, with TLS, or mend the registry"),
    r("NotABundle", &[B, C], "the artifact has no layer with a bundle", "push it with `interlock bundle push`"),
    r("CacheFull", &[C], "the cache folder has as many signatures as it may have, 256 MiB", "remove from the registry what is out of date, and see who pushes so many"),
    r("CacheUnavailable", &[C], "the folder of verified bundles cannot be read or written", "mend `--cache-dir`"),
    r("CacheEntryDamaged", &[C], "a file in the folder of verified bundles is damaged, and not used", "nothing: it is pulled again"),

    // Who signed.
    r("Unsigned", &[B, R, C], "there is no signature", "`cosign sign` the digest"),
    r("UntrustedKey", &[B, R, C], "it is signed, but by none of the Signers that count", "sign with a trusted key, or name the Signer in `signedBy`"),
    r("NoTrustedTime", &[B, R, C], "no authority of the trust root says when it was signed", "sign with a timestamp, or a log that gives one, or mend the trust root"),
    r("UntrustedCertificate", &[B, R, C], "its certificate is of no authority of the trust root, or was not valid when it was used, or no certificate log promised it", "sign under the right authority, or mend the trust root"),
    r("NotLogged", &[B, R, C], "no transparency log of the trust root has it, or what the log has is another signature", "sign with a log, or mend the trust root"),
    r("UntrustedIdentity", &[B, R, C], "its certificate is for somebody whom no Signer that counts names", "sign as a trusted identity, or name the Signer in `signedBy`"),
    r("FilesDiffer", &[R], "nothing but a trusted list of files (OpenSSF Model Signing) is attached to the model, and its layers are other files", "push what was signed, or sign what was pushed"),
    r("FilesNotCompared", &[R], "nothing but a list of files vouches for the model, and its files are in archives, or hashed by another hash than SHA-256: they would have to be downloaded", "`cosign sign` the model's digest, or push each file as it is (ModelPack, ORAS)"),
    r("SubjectMismatch", &[B, R, C], "the signature is of another artifact", "`cosign sign` this digest"),
    r("WrongPredicateType", &[B, R, C], "an attestation stands where a signature should", "`cosign sign`, not `cosign attest`"),
    r("BadSignature", &[B, R, C], "the signature was changed after it was made", "sign again"),
    r("MalformedSignature", &[B, R, C], "what is attached as a signature is none", "sign with cosign 3 and a key"),
    r("FormatNotAccepted", &[B, R, C], "it is in a format in which this Signer's signatures do not count", "sign with cosign 3, or accept the format in the Signer"),
    r("KeyNotValid", &[B, R, C], "its key did not count at the time at which it was made", "sign with a key that counts, or mend the times of the Signer's key"),
    r("Revoked", &[B, R, C], "the artifact, the signature, its key or its log entry is revoked", "use another artifact, or sign it anew with a key that counts"),
    r("ThresholdNotMet", &[B, R, C], "too few different keys have signed", "let as many Signers sign as `threshold` says"),
    r("DutiesNotSeparate", &[B, R, C], "enough have signed, but not somebody else for each duty", "let somebody sign whose duty is still open"),
    r("Verified", &[R], "everything that has to be signed is", ""),
    r("MutableLocation", &[R], "the model's name leads to bytes that can change, which nobody can sign", "publish it as an OCI artifact, sign it, and name it by digest"),
    r("UnsupportedLocation", &[R], "signatures over a model in such a place cannot be checked yet", "publish it as an OCI artifact, sign it, and name it by digest"),
    r("ImageNotNamed", &[R], "something else than the object chooses the image", "name the image by digest in the object itself"),
    r("EvidencePending", &[R], "the registry has not answered yet; it is being asked", "wait: it is judged again by itself"),
    r("EvidenceNotKept", &[R], "an artifact has more signatures and attestations than are held in memory, and the cache folder has no room for them", "remove from the registry what is out of date; the message says what is wrong with the folder"),
    r("EvidenceFailed", &[R], "looking at the signatures ended abnormally", "read the operator's log, and report it"),
    r("NotAskedYet", &[R], "the registry was not asked yet", "wait: it is judged again by itself"),
    r("UnusableTrustPolicy", &[B, R, C], "nothing can satisfy this `signedBy`", "name at least one Signer, and a threshold that can be met"),

    // What a model's signature lists, and what its folder has.
    r("WrongStatementType", &[C], "the statement is of another version than in-toto's v1", "sign the model again with model-signing 1.x"),
    r("SubjectCount", &[C], "the statement is about several models, or about none", "sign each model by itself"),
    r("MalformedModelManifest", &[C], "what is signed is not a manifest that model-signing 1.x writes", "sign the model again with model-signing 1.x"),
    r("ManifestTooLarge", &[C], "the model's manifest lists more than is read", "sign larger shards, or fewer files"),
    r("RootMismatch", &[C], "the model's manifest contradicts itself: its digests do not give its root", "sign the model again with model-signing 1.x"),
    r("UnsupportedMethod", &[C], "the model was hashed by another method than files or shards", "sign it with `files` or `shards`"),
    r("UnsupportedHash", &[C], "the model was hashed with another hash than SHA-256, BLAKE2b or BLAKE3", "sign it with one of them"),
    r("MalformedShardSize", &[C], "the size of shards is missing, or none", "sign the model again with model-signing 1.x"),
    r("MalformedShard", &[C], "a listed name is not that of a shard", "sign the model again with model-signing 1.x"),
    r("ShardsDoNotTile", &[C], "the listed shards of a file leave a gap, overlap or are of another size", "sign the model again with model-signing 1.x"),
    r("MalformedName", &[C], "a file has a name that could be taken for another, or lead out of the model", "rename the file; sign again"),
    r("MalformedIgnorePath", &[C], "the manifest passes over a path that could lead anywhere", "sign again with plain relative paths"),
    r("ListedAndIgnored", &[C], "the manifest lists a file and says that it does not count", "sign again without one of the two"),
    r("NothingListed", &[C], "the manifest lists no file, so that nothing would be verified", "sign a folder that has files"),
    r("DuplicateName", &[C], "a file is listed twice", "sign the model again with model-signing 1.x"),
    r("ManifestNotSorted", &[C], "the listed files are not sorted by path", "sign the model again with model-signing 1.x"),
    r("FileAndFolder", &[C], "a name is listed as a file, and others below it", "sign the model again with model-signing 1.x"),
    r("AmbiguousNames", &[C], "two listed names differ only in case or Unicode composition, so that some file systems keep one of them", "rename one; sign again"),
    r("WrongAlgorithm", &[C], "a listed digest is by another hash than the manifest's", "sign the model again with model-signing 1.x"),
    r("MalformedDigest", &[C], "a listed digest has another length or alphabet", "sign the model again with model-signing 1.x"),
    r("NotAFile", &[C], "the signature is over a single file, and something else was named", "name the file"),
    r("NotAFolder", &[C], "the signature is over the files of a folder, and something else was named", "name the folder"),
    r("ModelUnreadable", &[C], "a file or folder of the model cannot be read", "mend what the message names"),
    r("ModelTooLarge", &[C], "the model has more files, or larger names or headers, than are looked at", "remove what does not belong to the model"),
    r("SymbolicLink", &[C], "a link in the model's folder is not followed, for the reason that the message gives", "put the file itself in its place"),
    r("SpecialFile", &[C], "a pipe, socket or device lies in the model's folder", "remove it"),
    r("ChangedWhileRead", &[C], "a file of the model changed while it was read", "verify when nobody writes to the model"),
    r("ModelIsIndex", &[C], "the reference leads to a list of models for several platforms", "name the manifest of one by its digest"),
    r("UnsupportedLayer", &[C], "a layer is packed in a way that cannot be looked into", "push files as they are, or as tar, tar+gzip or tar+zstd"),
    r("NotZstd", &[C], "an archive is no Zstandard file, is cut off, or refers back over more than 32 MiB", "pack it with a smaller window, or with gzip"),
    r("UnsafeEntry", &[C], "an archive has a link, a device or a name that tools unpack differently", "pack plain files and folders only"),

    // Whether drift is watched.
    r("Wired", &[R], "every link from the scrape target to the drift alert holds", ""),
    r("Holds", &[R], "this link of the drift monitor holds", ""),
    r("TargetMissing", &[R], "Prometheus has no target with the labels that the track names", "add a scrape configuration or ServiceMonitor, or correct `spec.driftMonitor.target`"),
    r("RelabelDropped", &[R], "Prometheus finds the target, and its relabelling drops it", "correct `relabel_configs`"),
    r("TargetDown", &[R], "no target with these labels answers when it is scraped", "see whether the detector runs, and whether its port is right"),
    r("TargetNotScraped", &[R], "the target is new and was not scraped yet", "wait"),
    r("NoSeries", &[R], "a metric has no series with the workload's labels", "see what the detector exposes: the message names what comes nearest"),
    r("Stale", &[R], "the newest sample is older than `maxAge`", "see whether the detector still writes"),
    r("NaN", &[R], "a series is not a finite number, and no comparison with that can fire", "see whether the detector gets data"),
    r("Frozen", &[R], "the value has not changed within `changesWithin`", "see whether the detector gets data"),
    r("RuleNotLoaded", &[R], "Prometheus has loaded no alerting rule of this name and these labels", "load its file, or let Prometheus select the PrometheusRule"),
    r("RuleErroring", &[R], "the alerting rule fails, or is not evaluated any more", "correct its expression as the message says"),
    r("RuleNotEvaluated", &[R], "the alerting rule is new and was not evaluated yet", "wait"),
    r("RuleReferencesNoData", &[R], "a selector inside the alert's expression finds nothing of the workload: the alert is loaded, healthy and dead", "correct the selector that the message names"),
    r("RuleOverwritesLabel", &[R], "the alerting rule sets the label of the workload's name or namespace to something else, so that its alerts are never this workload's", "leave that label out of the rule's `labels`, or template it from the series"),
    r("RuleConstant", &[R], "the alert's expression never follows the workload's series: it reads them only at a fixed time, or takes them away from themselves", "correct it as the message says"),
    r("RuleLooksBack", &[R], "the alert's expression looks back to a time at which the workload had no series yet", "wait, or shorten the `offset`"),
    r("TooManyRules", &[R], "more alerting rules carry the name than are asked for, and none of those asked sees the workload", "select the workload's labels in each rule's expression, or name more in `spec.driftMonitor.alert.matchLabels`"),
    r("RecordingRuleBroken", &[R], "a recording rule before the alert fails, or records nothing for the workload", "correct the rule that the message names"),
    r("RuleUnreadable", &[R], "the alert's expression cannot be read, so that it is not known what it sees", "write it shorter, or with functions that are not experimental"),
    r("AlertFiring", &[R], "the drift alert fires for the workload", "look at the model"),
    r("NoAlert", &[R], "the drift alert does not fire for the workload", ""),
    r("AlertUnattributed", &[R], "the drift alert fires without the labels that would say for whom", "keep the labels of `spec.driftMonitor.workload` in its expression"),
    r("MonitorNotWired", &[R], "that no alert fires means nothing while `DriftMonitorWired` is not True", "mend what that condition names"),
    r("PrometheusUnreachable", &[R], "Prometheus cannot be reached", "see whether it runs, and whether a NetworkPolicy forbids the way"),
    r("PrometheusUnauthorized", &[R], "Prometheus wants a token, or another one", "correct `spec.driftMonitor.prometheus.bearerToken`"),
    r("PrometheusTimeout", &[R], "Prometheus did not answer completely in time", "see how busy it is, or raise `spec.driftMonitor.prometheus.timeout`"),
    r("PrometheusPartial", &[R], "Prometheus answered with warnings: a part of its data was not there", "mend the store that the message names"),
    r("PrometheusError", &[R], "Prometheus answered with an error", "do what the message says"),
    r("PrometheusMalformed", &[R], "what answers there is no Prometheus", "correct `spec.driftMonitor.prometheus.url`"),
    r("PrometheusAnswerTooLarge", &[R], "an answer of Prometheus is larger than what is read", "name `target.scrapePool`"),
    r("TokenUnavailable", &[R], "the Secret with the token for Prometheus, or its key, is missing or cannot be read", "create it in the operator's namespace"),
    r("CaBundleInvalid", &[R], "`spec.driftMonitor.prometheus.caBundle` is no certificate in PEM", "paste the certificate authority's certificate"),

    // Which bundle it is.
    r("NameMismatch", &[B], "the signed bundle calls itself otherwise", "correct `spec.bundle` or the reference"),
    r("NameMissing", &[B, C], "the bundle's manifest has no `metadata.name`", "give it one, or pin the digest"),
    r("RevisionMissing", &[B, C], "the bundle's manifest has no revision", "`opa build --revision`, or pin the digest"),
    r("RollbackRefused", &[B], "the bundle is older than the last good one, or cannot be compared with it", "pin the digest to go back on purpose"),

    // What is in it.
    r("NotGzip", &[B, C], "the layer is no gzip, or is cut off", "build it with `opa build`"),
    r("NotTar", &[B, C], "there is no tar inside the gzip", "build it with `opa build`"),
    r("UnsafePath", &[B, C], "a path leads out of the bundle, or is a link or device", "build it with `opa build`"),
    r("DuplicatePath", &[B, C], "a file stands in it twice", "build it with `opa build`"),
    r("TooManyEntries", &[B, C], "it has too many files", "leave out what policies do not read"),
    r("TooLarge", &[B, C], "it is too large once unpacked", "leave out what policies do not read"),
    r("NoPolicyWasm", &[B, C], "it has no `policy.wasm`", "`opa build --target wasm`"),
    r("SeveralModules", &[B, C], "it has more than one WebAssembly module", "build one module with all entry points"),
    r("MalformedManifest", &[B, C], "its `.manifest` is missing or says something odd", "build it with `opa build`"),
    r("MalformedData", &[B, C], "its data is no JSON, has a key twice or lies outside the roots", "correct `data.json`"),
    r("DeltaBundle", &[B, C], "it is a patch of another bundle", "push a whole bundle"),
    r("InvalidModule", &[B, C], "its WebAssembly is invalid", "build it with `opa build`"),
    r("ModuleTooComplex", &[B, C], "its WebAssembly would take minutes or gigabytes to compile", "split its largest rules over several packages or bundles"),
    r("NoEntrypoint", &[B, C], "it names no entry point, or one that the module lacks", "`opa build --entrypoint`"),
    r("ForeignImport", &[B, C], "its module wants something besides OPA's interface", "build it with `opa build`"),
    r("UnsupportedAbi", &[B, C], "its module was built for another version of OPA's interface", "build it with a current `opa`"),
    r("MissingBuiltin", &[B, C], "it calls a built-in function that is not there, for instance `http.send`", "do without it: a policy reaches no network and no clock"),
    r("MalformedCatalogue", &[B, C], "its catalogue does not list gates as it should", "`interlock bundle lint` says where"),
    r("MalformedGolden", &[B, C], "a golden input cannot be read", "`interlock bundle lint` says which"),
    r("GoldenMismatch", &[B, C], "a golden input comes out otherwise than written down", "correct the rule, or the golden input"),
    r("PassesOnEmptyInput", &[B, C], "a gate passes on an input that says nothing", "let it pass only on evidence"),
    r("CompileFailed", &[B], "compiling ended abnormally", "report it"),

    // What a policy does, while it is examined or on a workload.
    r("DeadlineExceeded", &[B, R, C], "the policy took longer than `spec.limits.deadline`", "make the rule cheaper, or raise the limit"),
    r("MemoryLimit", &[B, R, C], "the policy wanted more memory than `spec.limits.memory`", "make the rule cheaper, or raise the limit"),
    r("ResultTooLarge", &[B, R, C], "the policy answered more than `spec.limits.resultSize`", "let it say less"),
    r("InputTooLarge", &[B, R, C], "the workload's dossier, or a golden input, is larger than `spec.limits.inputSize`", "make it smaller, or raise the limit"),
    r("InputTooDeep", &[B, R, C], "the workload's document, or a golden input, is nested deeper than `spec.limits.inputDepth`", "make it flatter, or raise the limit"),
    r("MalformedInput", &[C], "the input is not one JSON document without ambiguity", "correct what the message names"),
    r("ConcurrencyLimit", &[B, R, C], "as many decisions of the bundle as `spec.limits.concurrency` allows were running, and none ended within the deadline", "wait: it is tried again; if it stays, raise the limit, or make the rule cheaper"),
    r("NotParsed", &[B, R, C], "the policy could not read its input or data", "build the bundle with a current `opa`"),
    r("Trap", &[B, R, C], "the policy's code trapped, or exhausted its stack", "make the rule less recursive; report it if it is not"),
    r("Aborted", &[B, R, C], "the policy stopped itself, mostly by two values where there can be one", "correct the rule that the message names"),
    r("BadAddress", &[B, R, C], "the policy's code pointed outside its memory", "build the bundle with a current `opa`"),
    r("BuiltinLimit", &[B, R, C], "a built-in function was asked for too much, or a regular expression is larger than `spec.limits.regexSize`", "make the rule cheaper"),
    r("UndeclaredBuiltin", &[B, R, C], "the policy's code called a function that it had not declared", "build the bundle with a current `opa`"),
    r("NoSuchEntrypoint", &[B, C], "the bundle has no such entry point", "`interlock bundle inspect` lists them"),
    r("Undefined", &[B, R, C], "an entry point has no result", "give it a default"),
    r("MalformedResult", &[B, R, C], "an entry point's result has not the shape that it should", "`policies/README.md` shows the shape"),

    // Without a cluster.
    r("NeedsCluster", &[C], "only the cluster can tell", "look at the Release in the cluster"),
    r("NeedsBundle", &[C], "the track also judges with a bundle that was not given", "give it with `--bundle`"),
    r("NoCatalogue", &[C], "the bundle has no catalogue, so a rule that is undefined passes", "give it an entry point `catalogue`"),
    r("DenyList", &[C], "an entry point allows what it does not know", "give the bundle an entry point `catalogue`"),
    r("CostIncreased", &[C], "a cost grew by more than `--max-increase` allows", "make the rule cheaper, or allow more"),
    r("NoGoldenInputs", &[C], "the bundle has no golden inputs, so an update is not tested before it judges", "put some under `interlock/golden`"),
];
