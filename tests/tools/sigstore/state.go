// The keys and certificates of the private Sigstore: made once, then kept in DIR/private, one PEM file each, so that
// later calls and `serve` are the same Sigstore. `foreign` makes another one of the same names, which nobody trusts.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// party is a key, with its certificate where it has one.
type party struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

type sigstore struct {
	folder  string
	now     time.Time
	parties map[string]party
	logs    map[int]*transparencyLog
}

const (
	year = 365 * 24 * time.Hour
	day  = 24 * time.Hour
)

// Who there is. Where an issuer is named there is a certificate, valid from ten years before the Sigstore was made
// until `until` after that. An issuer stands before what it issues.
var cast = []struct {
	name, issuer string
	until        time.Duration
	usage        x509.ExtKeyUsage
}{
	{"fulcio-root", "fulcio-root", 10 * year, x509.ExtKeyUsageAny},
	{"fulcio", "fulcio-root", 10 * year, x509.ExtKeyUsageCodeSigning},
	{"fulcio-lapsed", "fulcio-root", -day, x509.ExtKeyUsageCodeSigning},
	{"pki-root", "pki-root", 10 * year, x509.ExtKeyUsageAny},
	{"pki", "pki-root", 10 * year, x509.ExtKeyUsageCodeSigning},
	{"pki-lapsed", "pki-root", -day, x509.ExtKeyUsageCodeSigning},
	{"tsa-root", "tsa-root", 10 * year, x509.ExtKeyUsageAny},
	{"tsa", "tsa-root", 10 * year, x509.ExtKeyUsageTimeStamping},
	{"tsa-retired", "tsa-root", 10 * year, x509.ExtKeyUsageTimeStamping},
	{"tsa-unlisted", "tsa-root", 10 * year, x509.ExtKeyUsageTimeStamping},
	{"rekor1", "", 0, 0},
	{"rekor2", "", 0, 0},
	{"ctlog", "", 0, 0},
	{"oidc", "", 0, 0},
}

// open answers the Sigstore in folder, and makes one where there is none.
func open(folder string) (*sigstore, error) {
	s := &sigstore{folder: folder, now: time.Now().Truncate(time.Second), parties: map[string]party{}}
	if err := os.MkdirAll(s.private(""), 0o700); err != nil {
		return nil, err
	}
	for _, c := range cast {
		p, err := s.load(c.name)
		if errors.Is(err, fs.ErrNotExist) {
			if p, err = s.make(c.name, c.issuer, c.until, c.usage); err == nil {
				err = s.save(c.name, p)
			}
		}
		if err != nil {
			return nil, err
		}
		s.parties[c.name] = p
	}
	s.logs = map[int]*transparencyLog{1: s.log(1), 2: s.log(2)}
	return s, s.writeTrust()
}

// foreign answers a Sigstore of the same names and other keys, which is kept nowhere.
func (s *sigstore) foreign() (*sigstore, error) {
	f := &sigstore{now: s.now, parties: map[string]party{}}
	for _, c := range cast {
		p, err := f.make(c.name, c.issuer, c.until, c.usage)
		if err != nil {
			return nil, err
		}
		f.parties[c.name] = p
	}
	f.logs = map[int]*transparencyLog{1: f.log(1), 2: f.log(2)}
	return f, nil
}

func (s *sigstore) make(name, issuer string, until time.Duration, usage x509.ExtKeyUsage) (party, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil || issuer == "" {
		return party{key: key}, err
	}
	// A foreign party has the same key identifier too, so that only its signature tells it from the real one.
	id := sha256.Sum256([]byte(name))
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(id[:8]),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"sigstore.test"}},
		NotBefore:    s.now.Add(-10 * year),
		NotAfter:     s.now.Add(until),
		SubjectKeyId: id[:20],
	}
	switch {
	case usage == x509.ExtKeyUsageTimeStamping:
		// Written out because RFC 3161 wants it critical.
		usages, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
		if err != nil {
			return party{}, err
		}
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usages}}
	default:
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		template.BasicConstraintsValid, template.IsCA = true, true
		if usage == x509.ExtKeyUsageCodeSigning {
			template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
		}
	}
	above := party{key, template}
	if issuer != name {
		above = s.parties[issuer]
	}
	der, err := x509.CreateCertificate(rand.Reader, template, above.certificate, key.Public(), above.key)
	if err != nil {
		return party{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	return party{key, certificate}, err
}

func (s *sigstore) private(file string) string { return filepath.Join(s.folder, "private", file) }

func (s *sigstore) save(name string, p party) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if p.certificate != nil {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw})...)
	}
	return os.WriteFile(s.private(name+".pem"), text, 0o600)
}

func (s *sigstore) load(name string) (party, error) {
	text, err := os.ReadFile(s.private(name + ".pem"))
	if err != nil {
		return party{}, err
	}
	block, rest := pem.Decode(text)
	if block == nil {
		return party{}, fmt.Errorf("%s is no PEM file", s.private(name+".pem"))
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return party{}, fmt.Errorf("%s: %w", s.private(name+".pem"), err)
	}
	p := party{key: key.(crypto.Signer)}
	if block, _ = pem.Decode(rest); block != nil {
		p.certificate, err = x509.ParseCertificate(block.Bytes)
	}
	return p, err
}

// locked does `work` while no other process changes what is in folder.
func locked(folder string, work func() error) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return work()
}
