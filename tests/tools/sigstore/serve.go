// Stands in for Fulcio, Rekor v1 and v2, and the timestamp authority, so that the real cosign signs without a key and
// without a network. Not the real servers: what they check of a caller is not checked here, but that a token is signed
// by this Sigstore and the caller has the key.
//
// `serve` prints "listening on HOST:PORT" once it answers, and writes signing_config.json (Rekor v1 and timestamps) and
// signing_config_rekor2.json (Rekor v2 and timestamps) into DIR. Then, with the token of {"token": {…}} in a file:
//
//	cosign sign --signing-config DIR/signing_config.json --trusted-root DIR/trusted_root.json --identity-token FILE -y IMAGE
//	cosign verify --trusted-root DIR/trusted_root.json --certificate-identity … --certificate-oidc-issuer … IMAGE
package main

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/digitorus/timestamp"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-openapi/runtime"
	trustpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	tilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"
)

// service answers one path: the body in, the status and the body out.
type service struct {
	kind   string
	status int
	answer func(s *sigstore, asked, header http.Header, body []byte) ([]byte, error)
}

var services = map[string]service{
	"POST /api/v2/signingCert": {"application/json", http.StatusOK, signingCert},
	"POST /api/v1/log/entries": {"application/json", http.StatusCreated, logV1},
	"POST /api/v2/log/entries": {"application/json", http.StatusCreated, logV2},
	"POST /api/v1/timestamp":   {"application/timestamp-reply", http.StatusCreated, stampQuery},
}

func serve(folder, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	err = locked(folder, func() error {
		s, err := open(folder)
		if err != nil {
			return err
		}
		if err := s.writeSigningConfig("signing_config.json", base, 1); err != nil {
			return err
		}
		return s.writeSigningConfig("signing_config_rekor2.json", base, 2)
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for pattern, service := range services {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = locked(folder, func() error {
					s, err := open(folder)
					if err == nil {
						body, err = service.answer(s, r.Header, w.Header(), body)
					}
					return err
				})
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", service.kind)
			w.WriteHeader(service.status)
			_, _ = w.Write(body)
		})
	}
	fmt.Println("listening on", listener.Addr())
	return http.Serve(listener, mux)
}

func (s *sigstore) writeSigningConfig(file, base string, rekor uint32) error {
	at := func(path string, version uint32) []root.Service {
		return []root.Service{{URL: base + path, MajorAPIVersion: version, ValidityPeriodStart: s.now.Add(-day), Operator: "sigstore.test"}}
	}
	one := root.ServiceConfiguration{Selector: trustpb.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02,
		at("", 1), at("", 1), at("", rekor), one, at("/api/v1/timestamp", 1), one)
	if err != nil {
		return err
	}
	text, err := config.MarshalJSON()
	if err != nil {
		return err
	}
	return s.write(file, text)
}

// claims of a token: those that cosign reads, and the identity as it will stand in the certificate.
type claims struct {
	jwt.Claims
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified,omitempty"`
	Identity      identity `json:"identity"`
}

func (s *sigstore) token(i identity) (string, error) {
	if err := i.check(true); err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.parties["oidc"].key}, nil)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims{
		Claims: jwt.Claims{
			Issuer: i.Issuer, Subject: i.Email + i.URI, Audience: jwt.Audience{"sigstore"},
			IssuedAt: jwt.NewNumericDate(s.now), Expiry: jwt.NewNumericDate(s.now.Add(window)),
		},
		Email: i.Email, EmailVerified: i.Email != "", Identity: i,
	}).Serialize()
}

// signingCert is Fulcio's.
func signingCert(s *sigstore, asked, _ http.Header, body []byte) ([]byte, error) {
	token, err := jwt.ParseSigned(strings.TrimPrefix(asked.Get("Authorization"), "Bearer "), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	var c claims
	if err := token.Claims(s.parties["oidc"].key.Public(), &c); err != nil {
		return nil, err
	}
	var wanted struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.Unmarshal(body, &wanted); err != nil {
		return nil, err
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(wanted.PublicKeyRequest.PublicKey.Content))
	if err != nil {
		return nil, err
	}
	verifier, err := signature.LoadDefaultVerifier(key)
	if err != nil {
		return nil, err
	}
	if err := verifier.VerifySignature(bytes.NewReader(wanted.PublicKeyRequest.ProofOfPossession), bytes.NewReader([]byte(c.Subject))); err != nil {
		return nil, fmt.Errorf("the caller shows no possession of the key: %w", err)
	}
	certificate, err := leaf{
		identity: c.Identity, key: key, issuer: s.parties["fulcio"], usage: codeSigning,
		from: s.now, until: s.now.Add(window), ctlog: s.parties["ctlog"].key.(*ecdsa.PrivateKey),
	}.issue()
	if err != nil {
		return nil, err
	}
	chain := []string{}
	for _, c := range []party{{certificate: certificate}, s.parties["fulcio"], s.parties["fulcio-root"]} {
		chain = append(chain, string(certificatePEM(c.certificate)))
	}
	return json.Marshal(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

func logV1(s *sigstore, _, header http.Header, body []byte) ([]byte, error) {
	proposal, err := models.UnmarshalProposedEntry(bytes.NewReader(body), runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	e, err := entryV1(proposal)
	if err != nil {
		return nil, err
	}
	logged, err := s.logs[1].add(e, s.now)
	if err != nil {
		return nil, err
	}
	proof := logged.InclusionProof
	hashes := []string{}
	for _, hash := range proof.Hashes {
		hashes = append(hashes, hex.EncodeToString(hash))
	}
	uuid := hex.EncodeToString(s.logs[1].tree.LeafHash(uint64(proof.LogIndex)))
	header.Set("ETag", uuid)
	return json.Marshal(map[string]any{uuid: map[string]any{
		"body":           logged.CanonicalizedBody,
		"integratedTime": logged.IntegratedTime,
		"logID":          hex.EncodeToString(logged.LogId.KeyId),
		"logIndex":       logged.LogIndex,
		"verification": map[string]any{
			"signedEntryTimestamp": logged.InclusionPromise.SignedEntryTimestamp,
			"inclusionProof": map[string]any{
				"checkpoint": proof.Checkpoint.Envelope,
				"hashes":     hashes,
				"logIndex":   proof.LogIndex,
				"rootHash":   hex.EncodeToString(proof.RootHash),
				"treeSize":   proof.TreeSize,
			},
		},
	}})
}

func logV2(s *sigstore, _, _ http.Header, body []byte) ([]byte, error) {
	var wanted tilespb.CreateEntryRequest
	if err := protojson.Unmarshal(body, &wanted); err != nil {
		return nil, err
	}
	e, err := entryV2(wanted.GetHashedRekordRequestV002())
	if err != nil {
		return nil, err
	}
	logged, err := s.logs[2].add(e, s.now)
	if err != nil {
		return nil, err
	}
	return marshal(logged)
}

func stampQuery(s *sigstore, _, _ http.Header, body []byte) ([]byte, error) {
	query, err := timestamp.ParseRequest(body)
	if err != nil {
		return nil, err
	}
	return s.parties["tsa"].answer(query, s.now)
}
