// Sigstore is a private Sigstore for tests: a CA (as Fulcio is), a CT log, two transparency logs (as Rekor v1 and v2
// are) and a timestamp authority, and what is signed with them. Its keys, and what a verifier is to trust, lie in DIR,
// which is made by the first call: trusted_root.json and its like, see trust.go.
//
//	sigstore DIR [REQUEST...]     answers the requests, or the lines of standard input: a line of JSON for each
//	sigstore DIR serve [ADDRESS]  answers cosign, in the place of Fulcio, Rekor and the timestamp authority: serve.go
//
// A request wants one bundle. Bytes are base64; what may be left out is in brackets:
//
//	{
//	  "blob": "…"                                     a signature over bytes, or
//	  "payload": "…", "payloadType": "…"              over a statement in a DSSE envelope
//
//	  "keyless": {                                    by a certificate as Fulcio issues them, or
//	    "email" or "uri": "…", "issuer": "…",
//	    ["claims": {"sourceRepositoryURI": "…"}]      named as in sigstore-go's certificate.Extensions
//	  }
//	  "pki": {"email" or "uri": "…"}                  by a certificate of a plain CA, or
//	  "key": "NAME"                                   by a key, the same for the same name
//
//	  ["algorithm": "ecdsa-p256"]                     ecdsa-p384, ecdsa-p521, rsa-2048, ed25519
//	  ["version": "0.3"]                              0.1 and 0.2 have certificates in a chain; 0.1 has no inclusion proofs
//	  ["chain": false]                                the intermediate too, in an x509CertificateChain
//	  ["logs": [1, 2]]                                an entry of Rekor v1, of Rekor v2; none where left out
//	  ["alone": false]                                the log's first and only entry: at 0, its proof without hashes
//	  ["timestamp": "bare"]                           "embedded" has the authority's certificate in it; none where left out
//	  ["time": "2026-11-21T14:00:00Z"]                of signing; now where left out
//	  ["wrong": "leaf-expired"]                       what is wrong on purpose: wrong.go
//	}
//
// and the answer is {"bundle": {…}, "publicKey": "PEM"} for what sigstore-go accepts with every entry and time there is
// in it, or {"bundle": {…}, "publicKey": "PEM", "rejected": "why"} for what is wrong and sigstore-go rejects. Where
// sigstore-go judges otherwise than the request has it, and where Rekor's own code refuses an entry, the answer is
// {"error": "…"}: Rekor v1 takes no statement signed with P-384 or P-521; of Ed25519, Rekor v1 takes statements alone,
// Rekor v2 nothing, and sigstore-go no certificate over a blob.
//
// A request {"token": {"email" or "uri": "…", "issuer": "…", …}} answers {"token": "JWT"}, for cosign to show to `serve`.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

type request struct {
	Blob        []byte    `json:"blob"`
	Payload     []byte    `json:"payload"`
	PayloadType string    `json:"payloadType"`
	Keyless     *identity `json:"keyless"`
	PKI         *identity `json:"pki"`
	Key         string    `json:"key"`
	Algorithm   string    `json:"algorithm"`
	Version     string    `json:"version"`
	Chain       bool      `json:"chain"`
	Logs        []int     `json:"logs"`
	Alone       bool      `json:"alone"`
	Timestamp   string    `json:"timestamp"`
	Time        time.Time `json:"time"`
	Wrong       string    `json:"wrong"`

	Token *identity `json:"token"`
}

type answer struct {
	Bundle    json.RawMessage `json:"bundle,omitempty"`
	PublicKey string          `json:"publicKey,omitempty"`
	Rejected  string          `json:"rejected,omitempty"`
	Token     string          `json:"token,omitempty"`
	Error     string          `json:"error,omitempty"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: sigstore DIR [REQUEST...] | sigstore DIR serve [ADDRESS]")
		os.Exit(2)
	}
	folder, rest := os.Args[1], os.Args[2:]
	if len(rest) > 0 && rest[0] == "serve" {
		if err := serve(folder, append(rest[1:], "127.0.0.1:0")[0]); err != nil {
			fmt.Fprintln(os.Stderr, "sigstore:", err)
			os.Exit(1)
		}
		return
	}
	in := io.Reader(os.Stdin)
	if len(rest) > 0 {
		in = strings.NewReader(strings.Join(rest, "\n"))
	}
	if !respond(folder, in, os.Stdout) {
		os.Exit(1)
	}
}

// respond answers every line, and whether all were answered with what they want.
func respond(folder string, in io.Reader, out io.Writer) bool {
	lines := bufio.NewReader(in)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for good := true; ; {
		line, end := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			a, err := reply(folder, line)
			if err != nil {
				good, a = false, answer{Error: err.Error()}
			}
			_ = encoder.Encode(a)
		}
		if end != nil {
			return good
		}
	}
}

func reply(folder string, line []byte) (a answer, err error) {
	r := request{Algorithm: "ecdsa-p256", Version: "0.3"}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return answer{}, fmt.Errorf("%s: %w", line, err)
	}
	err = locked(folder, func() error {
		s, err := open(folder)
		if err == nil {
			a, err = s.answer(r)
		}
		return err
	})
	return a, err
}

func (s *sigstore) answer(r request) (answer, error) {
	if r.Token != nil {
		token, err := s.token(*r.Token)
		return answer{Token: token}, err
	}
	if r.Time.IsZero() {
		r.Time = s.now
	}
	if err := r.check(); err != nil {
		return answer{}, err
	}
	b, by, err := s.sign(r)
	if err != nil {
		return answer{}, err
	}
	text, err := marshal(b)
	if err != nil {
		return answer{}, err
	}
	key, err := party{key: by.key}.public()
	if err != nil {
		return answer{}, err
	}
	a := answer{Bundle: text, PublicKey: string(pem.EncodeToMemory(key))}
	err = s.verify(r, text, by)
	switch {
	case accepted[r.Wrong] && err != nil:
		return answer{}, fmt.Errorf("sigstore-go rejects the bundle: %w", err)
	case !accepted[r.Wrong] && err == nil:
		return answer{}, fmt.Errorf("sigstore-go accepts what is wrong: %s", r.Wrong)
	case err != nil:
		a.Rejected = err.Error()
	}
	return a, nil
}

func (r request) check() error {
	signers := 0
	for _, there := range []bool{r.Keyless != nil, r.PKI != nil, r.Key != ""} {
		if there {
			signers++
		}
	}
	for _, who := range []*identity{r.Keyless, r.PKI} {
		if who == nil {
			continue
		}
		if err := who.check(r.Keyless != nil); err != nil {
			return err
		}
	}
	switch {
	case signers != 1:
		return fmt.Errorf("a request has one of keyless, pki and key; this has %d", signers)
	case (r.Blob == nil) == (r.PayloadType == ""):
		return errors.New("a request has either a blob, or a payload with a payloadType")
	case r.Timestamp != "" && r.Timestamp != "bare" && r.Timestamp != "embedded":
		return fmt.Errorf("timestamp: %q is neither \"bare\" nor \"embedded\"", r.Timestamp)
	}
	for _, version := range r.Logs {
		if version != 1 && version != 2 {
			return fmt.Errorf("logs: %d is neither 1 nor 2", version)
		}
	}
	return nil
}
