// RFC 3161 timestamps, as Sigstore's timestamp authority makes them.
package main

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/digitorus/timestamp"
)

// stamp makes a timestamp of a message. `embed` puts the authority's certificate into it, which sigstore-go does not
// ask for and sigstore-python does.
func (p party) stamp(message []byte, at time.Time, embed bool) ([]byte, error) {
	return p.answer(&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sha256Of(message), Certificates: embed}, at)
}

func (p party) answer(r *timestamp.Request, at time.Time) ([]byte, error) {
	response := timestamp.Timestamp{
		HashAlgorithm:     r.HashAlgorithm,
		HashedMessage:     r.HashedMessage,
		Time:              at,
		Nonce:             r.Nonce,
		Policy:            asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
		AddTSACertificate: r.Certificates,
	}
	token, err := response.CreateResponseWithOpts(p.certificate, p.key, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("timestamp at %s: %w", at.Format(time.RFC3339), err)
	}
	return token, nil
}

// smuggle puts a certificate before those that a timestamp came with, which nothing in it is signed over.
func smuggle(token []byte, c *x509.Certificate) ([]byte, error) {
	var response struct {
		Status asn1.RawValue
		Token  struct {
			Type    asn1.ObjectIdentifier
			Content struct {
				Version          int
				Digests, Content asn1.RawValue
				Certificates     asn1.RawValue `asn1:"tag:0"`
				Signers          asn1.RawValue
			} `asn1:"explicit,tag:0"`
		}
	}
	if _, err := asn1.Unmarshal(token, &response); err != nil {
		return nil, err
	}
	bag := &response.Token.Content.Certificates
	bag.Bytes, bag.FullBytes = append(append([]byte{}, c.Raw...), bag.Bytes...), nil
	return asn1.Marshal(response)
}
