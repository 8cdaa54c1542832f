// Bundles: a signature over a blob or a statement, with what the request wants beside it.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"time"

	ssldsse "github.com/secure-systems-lab/go-securesystemslib/dsse"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	tilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/pki"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/rekor/pkg/types/dsse"
	"github.com/sigstore/rekor/pkg/types/hashedrekord"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// signer is a key and what the bundle says about it: a certificate, its intermediates, or nothing but a hint.
type signer struct {
	party
	algorithm signature.AlgorithmDetails
	above     []*x509.Certificate
}

// signed is content with a signature.
type signed struct {
	by          signer
	content     []byte
	payloadType string // of a statement in an envelope; a blob has none
	digest      []byte // of the bytes that are signed
	signature   []byte
}

// window is around the moment of signing, as long as Fulcio's.
const window = 10 * time.Minute

// sign answers the bundle that a request wants, and the key that signed it.
func (s *sigstore) sign(r request) (*bundlepb.Bundle, signer, error) {
	spoiler, err := s.spoil(r)
	if err != nil {
		return nil, signer{}, err
	}
	by, err := s.signer(r, spoiler)
	if err != nil {
		return nil, signer{}, err
	}
	content := r.Blob
	if r.PayloadType != "" {
		content = r.Payload
	}
	done, err := by.sign(content, r.PayloadType)
	if err != nil {
		return nil, signer{}, err
	}
	b, err := done.bundle(r)
	if err != nil {
		return nil, signer{}, err
	}
	for _, version := range r.Logs {
		s.logs[version].alone = r.Alone
		logged, err := spoiler.log(s.logs[version], done, r.Time)
		if err != nil {
			return nil, signer{}, err
		}
		if r.Version == "0.1" {
			logged.InclusionProof = nil // the promise was all there was
		}
		b.VerificationMaterial.TlogEntries = append(b.VerificationMaterial.TlogEntries, logged)
	}
	if r.Timestamp != "" {
		token, err := spoiler.stamp(s.parties["tsa"], done, r.Time, r.Timestamp == "embedded")
		if err != nil {
			return nil, signer{}, err
		}
		b.VerificationMaterial.TimestampVerificationData = &bundlepb.TimestampVerificationData{
			Rfc3161Timestamps: []*common.RFC3161SignedTimestamp{{SignedTimestamp: token}},
		}
	}
	return b, by, nil
}

// signer makes the key and its certificate, or takes the managed key of that name.
func (s *sigstore) signer(r request, spoiler spoiler) (signer, error) {
	if r.Key != "" {
		return s.managed(r.Key, r.Algorithm)
	}
	by, err := newSigner(r.Algorithm)
	if err != nil {
		return signer{}, err
	}
	who, issuer := r.Keyless, s.parties["fulcio"]
	if r.PKI != nil {
		who, issuer = r.PKI, s.parties["pki"]
	}
	l := leaf{
		identity: *who, key: by.key.Public(), issuer: issuer, usage: codeSigning,
		from: r.Time.Add(-window / 2), until: r.Time.Add(window / 2),
	}
	if r.Keyless != nil {
		l.ctlog = s.parties["ctlog"].key.(*ecdsa.PrivateKey)
	}
	spoiler.leaf(&l)
	by.certificate, err = l.issue()
	by.above = []*x509.Certificate{l.issuer.certificate}
	return by, err
}

// managed answers the key of a name, which lasts as long as DIR.
func (s *sigstore) managed(name, algorithm string) (signer, error) {
	file := fmt.Sprintf("key-%s-%s", hex.EncodeToString([]byte(name)), algorithm)
	kept, err := s.load(file)
	if errors.Is(err, fs.ErrNotExist) {
		by, err := newSigner(algorithm)
		if err != nil {
			return signer{}, err
		}
		return by, s.save(file, by.party)
	}
	if err != nil {
		return signer{}, err
	}
	return withDetails(kept.key)
}

func newSigner(algorithm string) (signer, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ecdsa-p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return signer{}, fmt.Errorf("algorithm %q is none of ecdsa-p256, ecdsa-p384, ecdsa-p521, rsa-2048, ed25519", algorithm)
	}
	if err != nil {
		return signer{}, err
	}
	return withDetails(key)
}

func withDetails(key crypto.Signer) (signer, error) {
	algorithm, err := signature.GetDefaultAlgorithmDetails(key.Public())
	return signer{party: party{key: key}, algorithm: algorithm}, err
}

// hint is the one that cosign writes.
func (s signer) hint() (string, error) {
	id, err := logID(s.key.Public())
	return base64.StdEncoding.EncodeToString(id), err
}

// public is the certificate where there is one, else the key.
func (p party) public() (*pem.Block, error) {
	if p.certificate != nil {
		return &pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw}, nil
	}
	der, err := x509.MarshalPKIXPublicKey(p.key.Public())
	return &pem.Block{Type: "PUBLIC KEY", Bytes: der}, err
}

func (s signer) sign(content []byte, payloadType string) (signed, error) {
	message := content
	if payloadType != "" {
		message = ssldsse.PAE(payloadType, content)
	}
	with, err := signature.LoadSignerFromAlgorithmDetails(s.key, s.algorithm)
	if err != nil {
		return signed{}, err
	}
	bytesOf, err := with.SignMessage(bytes.NewReader(message))
	if err != nil {
		return signed{}, err
	}
	hash := s.algorithm.GetHashType()
	if hash == 0 { // Ed25519 signs the message itself; the bundle names a digest all the same
		hash = crypto.SHA256
	}
	hasher := hash.New()
	hasher.Write(message)
	return signed{s, content, payloadType, hasher.Sum(nil), bytesOf}, nil
}

func (s signed) bundle(r request) (*bundlepb.Bundle, error) {
	mediaType, err := bundle.MediaTypeString(r.Version)
	if err != nil {
		return nil, err
	}
	b := &bundlepb.Bundle{MediaType: mediaType, VerificationMaterial: &bundlepb.VerificationMaterial{}}
	if s.payloadType != "" {
		b.Content = &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: s.envelope()}
	} else {
		algorithm := s.by.algorithm.GetProtoHashType()
		if algorithm == common.HashAlgorithm_HASH_ALGORITHM_UNSPECIFIED {
			algorithm = common.HashAlgorithm_SHA2_256
		}
		b.Content = &bundlepb.Bundle_MessageSignature{MessageSignature: &common.MessageSignature{
			MessageDigest: &common.HashOutput{Algorithm: algorithm, Digest: s.digest},
			Signature:     s.signature,
		}}
	}
	material := b.VerificationMaterial
	switch {
	case s.by.certificate == nil:
		hint, err := s.by.hint()
		if err != nil {
			return nil, err
		}
		material.Content = &bundlepb.VerificationMaterial_PublicKey{PublicKey: &common.PublicKeyIdentifier{Hint: hint}}
	case r.Chain || r.Version != "0.3":
		chain := &common.X509CertificateChain{Certificates: []*common.X509Certificate{{RawBytes: s.by.certificate.Raw}}}
		for _, c := range s.by.above {
			if r.Chain {
				chain.Certificates = append(chain.Certificates, &common.X509Certificate{RawBytes: c.Raw})
			}
		}
		material.Content = &bundlepb.VerificationMaterial_X509CertificateChain{X509CertificateChain: chain}
	default:
		material.Content = &bundlepb.VerificationMaterial_Certificate{Certificate: &common.X509Certificate{RawBytes: s.by.certificate.Raw}}
	}
	return b, nil
}

func (s signed) envelope() *dssepb.Envelope {
	return &dssepb.Envelope{Payload: s.content, PayloadType: s.payloadType, Signatures: []*dssepb.Signature{{Sig: s.signature}}}
}

// entry is what a log writes down about a signature.
func (s signed) entry(version int) (entry, error) {
	public, err := s.by.public()
	if err != nil {
		return entry{}, err
	}
	if version == 2 {
		return s.entryV2(public)
	}
	proposal, err := s.proposal(pem.EncodeToMemory(public))
	if err != nil {
		return entry{}, err
	}
	return entryV1(proposal)
}

func (s signed) proposal(public []byte) (models.ProposedEntry, error) {
	if s.payloadType != "" {
		envelope, err := json.Marshal(s.envelope())
		if err != nil {
			return nil, err
		}
		return dsse.New().CreateProposedEntry(context.Background(), "", types.ArtifactProperties{
			ArtifactBytes: envelope, PublicKeyBytes: [][]byte{public},
		})
	}
	return hashedrekord.New().CreateProposedEntry(context.Background(), "", types.ArtifactProperties{
		ArtifactHash: util.PrefixSHA(hex.EncodeToString(s.digest)), SignatureBytes: s.signature,
		PublicKeyBytes: [][]byte{public}, PKIFormat: string(pki.X509),
	})
}

func (s signed) entryV2(public *pem.Block) (entry, error) {
	algorithm, err := signature.GetDefaultAlgorithmDetails(s.by.key.Public(), options.WithED25519ph())
	if err != nil {
		return entry{}, err
	}
	verifier := &tilespb.Verifier{
		KeyDetails: algorithm.GetSignatureAlgorithm(),
		Verifier:   &tilespb.Verifier_PublicKey{PublicKey: &tilespb.PublicKey{RawBytes: public.Bytes}},
	}
	if s.by.certificate != nil {
		verifier.Verifier = &tilespb.Verifier_X509Certificate{X509Certificate: &common.X509Certificate{RawBytes: public.Bytes}}
	}
	return entryV2(&tilespb.HashedRekordRequestV002{
		Digest:    s.digest,
		Signature: &tilespb.Signature{Content: s.signature, Verifier: verifier},
	})
}

// marshal writes protobuf's JSON without the spaces that it puts in at random.
func marshal(message proto.Message) (json.RawMessage, error) {
	text, err := protojson.Marshal(message)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	err = json.Compact(&compact, text)
	return compact.Bytes(), err
}
