// What can be made wrong on purpose, where it takes a private key to do it. All else about such a bundle is right.
//
//	leaf-expired, leaf-not-yet-valid   the certificate's window is before, or after, the signing
//	intermediate-expired               issued by an intermediate, trusted and long past its window
//	no-code-signing                    the certificate is for another use than signing code
//	no-usage                           the certificate names no use at all, which sigstore-go accepts, and cosign with it
//	ca-foreign                         issued by another CA whose names and key identifiers are the same
//	sct-missing                        no SCT
//	sct-foreign                        the SCT is of a log that is not trusted
//	sct-other-certificate              the SCT is the log's, over another certificate
//
//	entry-other                        a good log entry: of another signing with the same key and certificate
//	entry-artifact, entry-signature,   the entry differs from the bundle in this alone: the digest of the artifact (of the
//	entry-key                          payload), the signature (another good one), the certificate or key (another's)
//	log-foreign                        logged in a log that is not trusted
//	checkpoint-foreign                 the checkpoint is signed by that log's key
//	proof-root                         the checkpoint is the log's, of another tree of the same size
//	set-foreign                        Rekor v1's promise (SET) is signed by another log's key
//	log-early, log-late                Rekor v1's time is before, or after, the certificate's window
//
//	timestamp-other                    the timestamp is over another signature
//	timestamp-retired                  from an authority whose window in the trusted root is over
//	timestamp-unlisted                 by a certificate from the authority's CA that the trusted root does not list
//	timestamp-smuggled                 the same, with the listed certificate before it in the token
//	timestamp-foreign                  from another authority of the same names
//	timestamp-early, timestamp-late    before, or after, the certificate's window
//
//	request                            what the request itself wants is wrong: [1, 1] as logs, a payload of another type
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

// needs says what must be in the request for a wrong thing to have a place.
var needs = map[string][]string{
	"leaf-expired": {"certificate"}, "leaf-not-yet-valid": {"certificate"}, "intermediate-expired": {"certificate"},
	"no-code-signing": {"certificate"}, "no-usage": {"certificate"}, "ca-foreign": {"certificate"},
	"sct-missing": {"keyless"}, "sct-foreign": {"keyless"}, "sct-other-certificate": {"keyless"},
	"entry-other": {"log"}, "entry-artifact": {"log"}, "entry-signature": {"log"}, "entry-key": {"log"},
	"log-foreign": {"log"}, "checkpoint-foreign": {"log", "proof"}, "proof-root": {"log", "proof"},
	"set-foreign": {"log 1"}, "log-early": {"log 1", "certificate"}, "log-late": {"log 1", "certificate"},
	"timestamp-other": {"timestamp"}, "timestamp-retired": {"timestamp"}, "timestamp-unlisted": {"timestamp"},
	"timestamp-smuggled": {"timestamp"}, "timestamp-foreign": {"timestamp"},
	"timestamp-early": {"timestamp", "certificate"}, "timestamp-late": {"timestamp", "certificate"},
	"request": {}, "": {},
}

// accepted is what sigstore-go does not mind.
var accepted = map[string]bool{"no-usage": true, "": true}

// spoiler does what is good, but for the one thing that is to be wrong.
type spoiler struct {
	wrong, algorithm string
	real, foreign    *sigstore
}

func (s *sigstore) spoil(r request) (spoiler, error) {
	all, known := needs[r.Wrong]
	has := map[string]bool{
		"certificate": r.Key == "", "keyless": r.Keyless != nil, "timestamp": r.Timestamp != "",
		"log": len(r.Logs) > 0, "log 1": slices.Contains(r.Logs, 1), "proof": r.Version != "0.1",
	}
	if !known {
		return spoiler{}, fmt.Errorf("wrong: there is no %q", r.Wrong)
	}
	for _, need := range all {
		if !has[need] {
			return spoiler{}, fmt.Errorf("wrong: %q needs a %s in the request", r.Wrong, need)
		}
	}
	p := spoiler{wrong: r.Wrong, algorithm: r.Algorithm, real: s}
	var err error
	if r.Wrong != "" {
		p.foreign, err = s.foreign()
	}
	return p, err
}

func (p spoiler) leaf(l *leaf) {
	switch p.wrong {
	case "leaf-expired":
		l.from, l.until = l.from.Add(-2*window), l.until.Add(-2*window)
	case "leaf-not-yet-valid":
		l.from, l.until = l.from.Add(2*window), l.until.Add(2*window)
	case "intermediate-expired":
		l.issuer = p.real.parties[l.issuer.certificate.Subject.CommonName+"-lapsed"]
	case "no-code-signing":
		l.usage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case "no-usage":
		l.usage = nil
	case "ca-foreign":
		l.issuer = p.foreign.parties[l.issuer.certificate.Subject.CommonName]
	case "sct-missing":
		l.ctlog = nil
	case "sct-foreign":
		l.ctlog = p.foreign.parties["ctlog"].key.(*ecdsa.PrivateKey)
	case "sct-other-certificate":
		l.sctOfOther = true
	}
}

func (p spoiler) log(log *transparencyLog, s signed, at time.Time) (*rekorpb.TransparencyLogEntry, error) {
	e, err := p.entry(log.version, s)
	if err != nil {
		return nil, err
	}
	foreign := log
	if p.foreign != nil {
		foreign = p.foreign.logs[log.version]
	}
	switch p.wrong {
	case "log-foreign":
		log = foreign
	case "log-early":
		at = at.Add(-window)
	case "log-late":
		at = at.Add(window)
	}
	logged, err := log.add(e, at)
	if err != nil {
		return nil, err
	}
	proof := logged.InclusionProof
	switch p.wrong {
	case "checkpoint-foreign":
		proof.Checkpoint.Envelope, err = foreign.checkpoint(uint64(proof.TreeSize), proof.RootHash)
	case "proof-root":
		proof.Checkpoint.Envelope, err = log.checkpoint(uint64(proof.TreeSize), sha256Of([]byte("another tree")))
	case "set-foreign":
		if log.version == 1 {
			logged.InclusionPromise, err = foreign.promise(logged)
		}
	}
	return logged, err
}

// entry is of another signing, or has one value of it in the place of the bundle's. The log takes it all the same: a
// verifier cannot know what a log checks.
func (p spoiler) entry(version int, s signed) (entry, error) {
	good, err := s.entry(version)
	if err != nil {
		return entry{}, err
	}
	another, err := s.by.sign(append([]byte("another "), s.content...), s.payloadType)
	if err != nil {
		return entry{}, err
	}
	switch p.wrong {
	case "entry-other":
		return another.entry(version)
	case "entry-artifact":
		return good.swap(s.logged(version), another.logged(version))
	case "entry-signature":
		again, err := s.by.sign(s.content, s.payloadType)
		if err != nil {
			return entry{}, err
		}
		if bytes.Equal(again.signature, s.signature) {
			return entry{}, fmt.Errorf("wrong: %q needs ECDSA; signatures of %s are always the same", p.wrong, p.algorithm)
		}
		return good.swap(base64.StdEncoding.EncodeToString(s.signature), base64.StdEncoding.EncodeToString(again.signature))
	case "entry-key":
		stranger, err := p.stranger(s.by)
		if err != nil {
			return entry{}, err
		}
		mine, err := s.by.public()
		if err != nil {
			return entry{}, err
		}
		theirs, err := stranger.public()
		if err != nil {
			return entry{}, err
		}
		return good.swap(encoded(version, mine), encoded(version, theirs))
	}
	return good, nil
}

// stranger is another signer, with a certificate of the same CA where the signer has one.
func (p spoiler) stranger(s signer) (signer, error) {
	another, err := newSigner(p.algorithm)
	if err != nil || s.certificate == nil {
		return another, err
	}
	l := leaf{
		key: another.key.Public(), issuer: p.real.parties[s.certificate.Issuer.CommonName], usage: codeSigning,
		from: s.certificate.NotBefore, until: s.certificate.NotAfter, identity: identity{Email: "stranger@example.com"},
	}
	another.certificate, err = l.issue()
	return another, err
}

// logged is the digest as an entry has it: of a statement Rekor v1 logs the payload's.
func (s signed) logged(version int) string {
	switch {
	case version == 2:
		return base64.StdEncoding.EncodeToString(s.digest)
	case s.payloadType != "":
		return hex.EncodeToString(sha256Of(s.content))
	default:
		return hex.EncodeToString(s.digest)
	}
}

// encoded is a key or certificate as an entry has it.
func encoded(version int, public *pem.Block) string {
	if version == 2 {
		return base64.StdEncoding.EncodeToString(public.Bytes)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(public))
}

func (e entry) swap(from, to string) (entry, error) {
	if bytes.Count(e.body, []byte(from)) != 1 {
		return entry{}, fmt.Errorf("%q is not once in the entry %s", from, e.body)
	}
	e.body = bytes.Replace(e.body, []byte(from), []byte(to), 1)
	return e, nil
}

func (p spoiler) stamp(authority party, s signed, at time.Time, embed bool) ([]byte, error) {
	message := s.signature
	switch p.wrong {
	case "timestamp-other":
		message = append([]byte("another "), message...)
	case "timestamp-retired":
		authority = p.real.parties["tsa-retired"]
	case "timestamp-unlisted", "timestamp-smuggled":
		authority, embed = p.real.parties["tsa-unlisted"], true
	case "timestamp-foreign":
		authority = p.foreign.parties["tsa"]
	case "timestamp-early":
		at = at.Add(-window)
	case "timestamp-late":
		at = at.Add(window)
	}
	token, err := authority.stamp(message, at, embed)
	if err == nil && p.wrong == "timestamp-smuggled" {
		return smuggle(token, p.real.parties["tsa"].certificate)
	}
	return token, err
}
