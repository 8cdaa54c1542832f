// The two transparency logs, as Rekor v1 and Rekor v2 answer: one Merkle tree each, whose leaf hashes are kept in
// DIR/private. What is added is canonicalized, and its signature checked, by Rekor's own code.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	tilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	tilesnote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	tilesrecord "github.com/sigstore/rekor-tiles/v2/pkg/types/hashedrekord"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"         // so that Rekor knows the kind
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1" // and this one
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore/pkg/signature"
	checkpoints "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	merkle "github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	// The shard of Rekor v1, and what was logged before it: an entry's index in the log is not its index in the tree.
	treeID = 1193050959916656506
	before = 1000
)

type transparencyLog struct {
	version int
	name    string
	key     crypto.Signer
	file    string // of the leaf hashes; a foreign log has none and is forgotten
	alone   bool   // the entry is to be all that there is
	tree    *merkle.Tree
}

// entry is what a log writes down: its kind and the canonical body.
type entry struct {
	kind, version string
	body          []byte
}

func (s *sigstore) log(version int) *transparencyLog {
	name := fmt.Sprintf("rekor%d", version)
	l := &transparencyLog{version: version, name: name, key: s.parties[name].key}
	if s.folder != "" {
		l.file = s.private(name + ".leaves")
	}
	return l
}

// grow reads the tree, plants it where there is none yet, and appends a leaf.
func (l *transparencyLog) grow(body []byte) error {
	l.tree = merkle.New(rfc6962.DefaultHasher)
	if l.alone {
		l.tree.AppendData(body)
		return nil
	}
	var lines string
	if l.file != "" {
		text, err := os.ReadFile(l.file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		lines = string(text)
	}
	for _, line := range strings.Fields(lines) {
		hash, err := hex.DecodeString(line)
		if err != nil {
			return fmt.Errorf("%s: %w", l.file, err)
		}
		l.tree.Append(hash)
	}
	for l.tree.Size() < 5 { // so that proofs have hashes from the first entry on
		l.tree.AppendData([]byte{byte(l.tree.Size())})
	}
	l.tree.AppendData(body)
	if l.file == "" {
		return nil
	}
	var text strings.Builder
	for i := range l.tree.Size() {
		fmt.Fprintln(&text, hex.EncodeToString(l.tree.LeafHash(i)))
	}
	return os.WriteFile(l.file, []byte(text.String()), 0o600)
}

// add logs an entry at a time, and answers what the log returns for it. Rekor v2 tells no time.
func (l *transparencyLog) add(e entry, at time.Time) (*rekorpb.TransparencyLogEntry, error) {
	if err := l.grow(e.body); err != nil {
		return nil, err
	}
	id, err := logID(l.key.Public())
	if err != nil {
		return nil, err
	}
	size := l.tree.Size()
	index := size - 1
	hashes, err := l.tree.InclusionProof(index, size)
	if err != nil {
		return nil, err
	}
	checkpoint, err := l.checkpoint(size, l.tree.Hash())
	if err != nil {
		return nil, err
	}
	logged := &rekorpb.TransparencyLogEntry{
		LogIndex:    int64(index),
		LogId:       &common.LogId{KeyId: id},
		KindVersion: &rekorpb.KindVersion{Kind: e.kind, Version: e.version},
		InclusionProof: &rekorpb.InclusionProof{
			LogIndex:   int64(index),
			RootHash:   l.tree.Hash(),
			TreeSize:   int64(size),
			Hashes:     hashes,
			Checkpoint: &rekorpb.Checkpoint{Envelope: checkpoint},
		},
		CanonicalizedBody: e.body,
	}
	if l.version == 2 {
		return logged, nil
	}
	logged.LogIndex += before
	logged.IntegratedTime = at.Unix()
	logged.InclusionPromise, err = l.promise(logged)
	return logged, err
}

// checkpoint is the log's signed word on what its tree is.
func (l *transparencyLog) checkpoint(size uint64, hash []byte) (string, error) {
	signer, err := signature.LoadSigner(l.key, crypto.SHA256)
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	if l.version == 1 {
		signed, err := util.CreateAndSignCheckpoint(ctx, host(l.name), treeID, size, hash, signer)
		return string(signed), err
	}
	noteSigner, err := tilesnote.NewNoteSigner(ctx, host(l.name), signer)
	if err != nil {
		return "", err
	}
	text := checkpoints.Checkpoint{Origin: host(l.name), Size: size, Hash: hash}.Marshal()
	signed, err := note.Sign(&note.Note{Text: string(text)}, noteSigner)
	return string(signed), err
}

// promise is Rekor v1's signed entry timestamp, under the log ID that `logged` names.
func (l *transparencyLog) promise(logged *rekorpb.TransparencyLogEntry) (*rekorpb.InclusionPromise, error) {
	text, err := json.Marshal(tlog.RekorPayload{
		Body:           base64.StdEncoding.EncodeToString(logged.CanonicalizedBody),
		IntegratedTime: logged.IntegratedTime,
		LogIndex:       logged.LogIndex,
		LogID:          hex.EncodeToString(logged.LogId.KeyId),
	})
	if err != nil {
		return nil, err
	}
	canonical, err := jsoncanonicalizer.Transform(text)
	if err != nil {
		return nil, err
	}
	signer, err := signature.LoadSigner(l.key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	set, err := signer.SignMessage(bytes.NewReader(canonical))
	return &rekorpb.InclusionPromise{SignedEntryTimestamp: set}, err
}

// entryV1 is what Rekor v1 makes of a proposal.
func entryV1(proposal models.ProposedEntry) (entry, error) {
	versioned, err := types.CreateVersionedEntry(proposal)
	if err != nil {
		return entry{}, fmt.Errorf("rekor v1 refuses the entry: %w", err)
	}
	body, err := types.CanonicalizeEntry(context.Background(), versioned)
	return entry{proposal.Kind(), versioned.APIVersion(), body}, err
}

// entryV2 is what Rekor v2 makes of a request.
func entryV2(request *tilespb.HashedRekordRequestV002) (entry, error) {
	allowed, err := signature.NewAlgorithmRegistryConfig([]common.PublicKeyDetails{request.GetSignature().GetVerifier().GetKeyDetails()})
	if err != nil {
		return entry{}, err
	}
	record, err := tilesrecord.ToLogEntry(request, allowed)
	if err != nil {
		return entry{}, fmt.Errorf("rekor v2 refuses the entry: %w", err)
	}
	text, err := protojson.Marshal(record)
	if err != nil {
		return entry{}, err
	}
	body, err := jsoncanonicalizer.Transform(text)
	return entry{record.Kind, record.ApiVersion, body}, err
}

func sha256Of(content []byte) []byte {
	sum := sha256.Sum256(content)
	return sum[:]
}
