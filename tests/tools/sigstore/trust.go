// What a verifier of this Sigstore trusts, written into DIR:
//
//	trusted_root.json            Fulcio (with an intermediate, and with one that has expired), both logs, the CT log, the
//	                             timestamp authority, and one whose window there is over
//	trusted_root_pki.json        the same logs and authorities; certificates from the plain CA and its intermediates
//	trusted_root_pki_bare.json   the same with the plain CA's root alone: intermediates come from the bundle
//	pki_root.pem, pki_intermediate.pem
package main

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

func (s *sigstore) writeTrust() error {
	logs, err := s.logKeys("rekor1", "rekor2")
	if err != nil {
		return err
	}
	ctlogs, err := s.logKeys("ctlog")
	if err != nil {
		return err
	}
	start := s.parties["tsa-root"].certificate.NotBefore
	made := start.Add(10 * year)
	timestamps := []root.TimestampingAuthority{s.timestamper("tsa", start, time.Time{}), s.timestamper("tsa-retired", start, made.Add(-day))}

	roots := []struct {
		file   string
		cas    []root.CertificateAuthority
		ctlogs map[string]*root.TransparencyLog
	}{
		{"trusted_root.json", []root.CertificateAuthority{s.authority("fulcio-root", "fulcio"), s.authority("fulcio-root", "fulcio-lapsed")}, ctlogs},
		{"trusted_root_pki.json", []root.CertificateAuthority{s.authority("pki-root", "pki"), s.authority("pki-root", "pki-lapsed")}, nil},
		{"trusted_root_pki_bare.json", []root.CertificateAuthority{s.authority("pki-root")}, nil},
	}
	for _, r := range roots {
		trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, r.cas, r.ctlogs, timestamps, logs)
		if err != nil {
			return err
		}
		text, err := trusted.MarshalJSON()
		if err != nil {
			return err
		}
		if err := s.write(r.file, text); err != nil {
			return err
		}
	}
	if err := s.write("pki_root.pem", certificatePEM(s.parties["pki-root"].certificate)); err != nil {
		return err
	}
	return s.write("pki_intermediate.pem", certificatePEM(s.parties["pki"].certificate))
}

// write replaces a file in one step, for those who read it meanwhile.
func (s *sigstore) write(file string, content []byte) error {
	path := filepath.Join(s.folder, file)
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (s *sigstore) authority(rootName string, intermediates ...string) *root.FulcioCertificateAuthority {
	top := s.parties[rootName].certificate
	ca := &root.FulcioCertificateAuthority{Root: top, URI: address("fulcio"), ValidityPeriodStart: top.NotBefore}
	for _, name := range intermediates {
		ca.Intermediates = append(ca.Intermediates, s.parties[name].certificate)
	}
	return ca
}

func (s *sigstore) timestamper(name string, start, end time.Time) *root.SigstoreTimestampingAuthority {
	return &root.SigstoreTimestampingAuthority{
		Root: s.parties["tsa-root"].certificate, Leaf: s.parties[name].certificate,
		URI: address(name), ValidityPeriodStart: start, ValidityPeriodEnd: end,
	}
}

func (s *sigstore) logKeys(names ...string) (map[string]*root.TransparencyLog, error) {
	logs := map[string]*root.TransparencyLog{}
	for _, name := range names {
		id, err := logID(s.parties[name].key.Public())
		if err != nil {
			return nil, err
		}
		logs[hex.EncodeToString(id)] = &root.TransparencyLog{
			BaseURL: address(name), ID: id, HashFunc: crypto.SHA256, PublicKey: s.parties[name].key.Public(),
			ValidityPeriodStart: s.parties["tsa-root"].certificate.NotBefore,
		}
	}
	return logs, nil
}

// logID is the SHA-256 of the public key, as Rekor and CT logs are known by.
func logID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	sum := sha256.Sum256(der)
	return sum[:], err
}

func host(name string) string { return name + ".sigstore.test" }

func address(name string) string { return "https://" + host(name) }

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
