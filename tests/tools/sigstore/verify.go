// The judgement of sigstore-go on every bundle that is made, by the trust that is written into DIR.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// verify asks for as many log entries and times as the request wanted. Without any, keys need no time and certificates
// are judged by the clock.
func (s *sigstore) verify(r request, text []byte, by signer) error {
	file, loading := "trusted_root.json", []bundle.Option{}
	if r.PKI != nil {
		file = "trusted_root_pki.json"
		if r.Chain && r.Version == "0.3" {
			file, loading = "trusted_root_pki_bare.json", append(loading, bundle.AllowCertificateChain())
		}
	}
	trusted, err := root.NewTrustedRootFromPath(filepath.Join(s.folder, file))
	if err != nil {
		return err
	}
	material := root.TrustedMaterialCollection{trusted}
	if r.Key != "" {
		hint, err := by.hint()
		if err != nil {
			return err
		}
		verifier, err := signature.LoadVerifierFromAlgorithmDetails(by.key.Public(), by.algorithm)
		if err != nil {
			return err
		}
		material = append(material, root.NewTrustedPublicKeyMaterialFromMapping(
			map[string]*root.ExpiringKey{hint: root.NewExpiringKey(verifier, time.Time{}, time.Time{})}))
	}

	var demands []verify.VerifierOption
	if len(r.Logs) > 0 {
		demands = append(demands, verify.WithTransparencyLog(len(r.Logs)))
	}
	dated := slices.Contains(r.Logs, 1)
	if dated {
		demands = append(demands, verify.WithIntegratedTimestamps(1))
	}
	if r.Timestamp != "" {
		demands = append(demands, verify.WithSignedTimestamps(1))
	}
	switch {
	case dated || r.Timestamp != "":
	case r.Key != "":
		demands = append(demands, verify.WithNoObserverTimestamps())
	default:
		demands = append(demands, verify.WithCurrentTime())
	}
	if r.Keyless != nil {
		demands = append(demands, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(material, demands...)
	if err != nil {
		return err
	}

	b := &bundle.Bundle{}
	for _, option := range loading {
		option(b)
	}
	if err := b.UnmarshalJSON(text); err != nil {
		return err
	}
	artifact, err := subject(r)
	if err != nil {
		return err
	}
	who := verify.WithoutIdentitiesUnsafe()
	switch {
	case r.Key != "":
		who = verify.WithKey()
	case r.Keyless != nil:
		if who, err = r.Keyless.policy(); err != nil {
			return err
		}
	}
	_, err = verifier.Verify(b, verify.NewPolicy(artifact, who))
	return err
}

// subject is the blob, or the first digest that a statement is about.
func subject(r request) (verify.ArtifactPolicyOption, error) {
	if r.PayloadType == "" {
		return verify.WithArtifact(bytes.NewReader(r.Blob)), nil
	}
	var statement struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if json.Unmarshal(r.Payload, &statement) == nil && len(statement.Subject) > 0 && statement.Subject[0].Digest["sha256"] != "" {
		digest, err := hex.DecodeString(statement.Subject[0].Digest["sha256"])
		return verify.WithArtifactDigest("sha256", digest), err
	}
	return verify.WithoutArtifactUnsafe(), nil
}

func (i identity) policy() (verify.PolicyOption, error) {
	san, err := verify.NewSANMatcher(i.Email+i.URI, "")
	if err != nil {
		return nil, err
	}
	issuer, err := verify.NewIssuerMatcher(i.Issuer, "")
	if err != nil {
		return nil, err
	}
	who, err := verify.NewCertificateIdentity(san, issuer, i.Claims)
	return verify.WithCertificateIdentity(who), err
}
