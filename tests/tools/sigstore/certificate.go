// Certificates as Fulcio issues them: short-lived, for an identity and its issuer, with a CI system's claims and an
// embedded SCT; and plain ones from a CA of one's own.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// identity is whom a certificate is for. Claims are named as sigstore-go names them.
type identity struct {
	Email  string                 `json:"email"`
	URI    string                 `json:"uri"`
	Issuer string                 `json:"issuer"`
	Claims certificate.Extensions `json:"claims"`
}

func (i identity) check(issued bool) error {
	switch {
	case (i.Email == "") == (i.URI == ""):
		return fmt.Errorf("an identity has either an email or a uri; this has %q and %q", i.Email, i.URI)
	case issued && i.Issuer == "":
		return fmt.Errorf("%s%s has no issuer", i.Email, i.URI)
	}
	return nil
}

// leaf is what a certificate is going to say.
type leaf struct {
	identity
	key         crypto.PublicKey
	issuer      party
	from, until time.Time
	usage       []x509.ExtKeyUsage
	ctlog       *ecdsa.PrivateKey // no SCT where nil
	sctOfOther  bool              // the SCT is of another certificate
}

var codeSigning = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}

// The last arc of 1.3.6.1.4.1.57264.1.N. Up to 6 the value is bare text, from 8 on a DER UTF8String.
var claimArcs = map[string]int{
	"githubWorkflowTrigger": 2, "githubWorkflowSHA": 3, "githubWorkflowName": 4, "githubWorkflowRepository": 5,
	"githubWorkflowRef": 6, "buildSignerURI": 9, "buildSignerDigest": 10, "runnerEnvironment": 11,
	"sourceRepositoryURI": 12, "sourceRepositoryDigest": 13, "sourceRepositoryRef": 14,
	"sourceRepositoryIdentifier": 15, "sourceRepositoryOwnerURI": 16, "sourceRepositoryOwnerIdentifier": 17,
	"buildConfigURI": 18, "buildConfigDigest": 19, "buildTrigger": 20, "runInvocationURI": 21,
	"sourceRepositoryVisibilityAtSigning": 22,
}

func (l leaf) issue() (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	keyID, err := cryptoutils.SKID(l.key)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    l.from,
		NotAfter:     l.until,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  l.usage,
		SubjectKeyId: keyID,
	}
	if l.Email != "" {
		template.EmailAddresses = []string{l.Email}
	}
	if l.URI != "" {
		uri, err := url.Parse(l.URI)
		if err != nil {
			return nil, fmt.Errorf("uri %q: %w", l.URI, err)
		}
		template.URIs = []*url.URL{uri}
	}
	if template.ExtraExtensions, err = l.extensions(); err != nil {
		return nil, err
	}
	plain, err := l.sign(template)
	if err != nil || l.ctlog == nil {
		return plain, err
	}

	// An SCT is over the certificate without it, which is the one just made. Another serial makes it another's.
	if l.sctOfOther {
		template.SerialNumber = new(big.Int).Add(serial, big.NewInt(1))
	}
	list, err := sct(l.ctlog, l.issuer.certificate, plain, l.from)
	if err != nil {
		return nil, err
	}
	template.ExtraExtensions = append(template.ExtraExtensions, list)
	return l.sign(template)
}

func (l leaf) sign(template *x509.Certificate) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, l.issuer.certificate, l.key, l.issuer.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (l leaf) extensions() ([]pkix.Extension, error) {
	if l.Issuer == "" {
		return nil, nil
	}
	text, err := json.Marshal(l.Claims)
	if err != nil {
		return nil, err
	}
	var claims map[string]string
	if err := json.Unmarshal(text, &claims); err != nil {
		return nil, err
	}
	values := map[int]string{1: l.Issuer, 8: l.Issuer, 24: l.Email + l.URI} // 24 is the token's subject
	for name, value := range claims {
		arc, ok := claimArcs[name]
		if !ok {
			return nil, fmt.Errorf("the claim %q has no extension; the issuer is a field of its own", name)
		}
		values[arc] = value
	}
	var extensions []pkix.Extension
	for arc, value := range values {
		content := []byte(value)
		if arc >= 8 {
			if content, err = asn1.MarshalWithParams(value, "utf8"); err != nil {
				return nil, err
			}
		}
		extensions = append(extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, arc}, Value: content})
	}
	slices.SortFunc(extensions, func(a, b pkix.Extension) int { return a.Id[8] - b.Id[8] })
	return extensions, nil
}

// sct is the extension with the log's promise to include `certificate` (RFC 6962, 3.2 and 3.3).
func sct(log *ecdsa.PrivateKey, issuer, certificate *x509.Certificate, at time.Time) (pkix.Extension, error) {
	id, err := logID(log.Public())
	if err != nil {
		return pkix.Extension{}, err
	}
	promise := ct.SignedCertificateTimestamp{
		SCTVersion: ct.V1,
		LogID:      ct.LogID{KeyID: [32]byte(id)},
		Timestamp:  uint64(at.UnixMilli()),
	}
	input, err := ct.SerializeSCTSignatureInput(promise, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{
		Version:  ct.V1,
		LeafType: ct.TimestampedEntryLeafType,
		TimestampedEntry: &ct.TimestampedEntry{
			Timestamp: promise.Timestamp,
			EntryType: ct.PrecertLogEntryType,
			PrecertEntry: &ct.PreCert{
				IssuerKeyHash:  sha256.Sum256(issuer.RawSubjectPublicKeyInfo),
				TBSCertificate: certificate.RawTBSCertificate,
			},
		},
	}})
	if err != nil {
		return pkix.Extension{}, err
	}
	signature, err := tls.CreateSignature(*log, tls.SHA256, input)
	if err != nil {
		return pkix.Extension{}, err
	}
	promise.Signature = ct.DigitallySigned(signature)
	list, err := x509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&promise})
	if err != nil {
		return pkix.Extension{}, err
	}
	inner, err := tls.Marshal(*list)
	if err != nil {
		return pkix.Extension{}, err
	}
	value, err := asn1.Marshal(inner)
	return pkix.Extension{Id: asn1.ObjectIdentifier(ctx509.OIDExtensionCTSCT), Value: value}, err
}
