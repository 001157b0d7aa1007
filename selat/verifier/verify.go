// An independent check of Selat's evidence, on golang.org/x/mod/sumdb/note and sumdb/tlog alone.
//
//	verify VKEY[,VKEY...] receipt FILE.tlog-proof...
//	verify VKEY[,VKEY...] log     FOLDER
//
// The first VKEY is the log's; any others are witnesses whose cosignatures must then be present and true.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosigner verifies c2sp.org/tlog-cosignature v1 (Ed25519), signature type 4.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(c.key, append([]byte(head), msg...), sig[8:])
}

func verifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) == 3 {
		raw, err := base64.StdEncoding.DecodeString(parts[2])
		if err == nil && len(raw) == 33 && raw[0] == 4 {
			hash, err := strconv.ParseUint(parts[1], 16, 32)
			return cosigner{parts[0], uint32(hash), ed25519.PublicKey(raw[1:])}, err
		}
	}
	return note.NewVerifier(vkey)
}

// open gives the tree head of a checkpoint that every key of vkeys has signed.
func open(checkpoint []byte, vkeys []string) (tlog.Tree, error) {
	var tree tlog.Tree
	var verifiers []note.Verifier
	for _, vkey := range vkeys {
		v, err := verifier(vkey)
		if err != nil {
			return tree, err
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open(checkpoint, note.VerifierList(verifiers...))
	if err != nil {
		return tree, err
	}
	if len(n.Sigs) != len(verifiers) {
		return tree, fmt.Errorf("%d of %d keys have signed", len(n.Sigs), len(verifiers))
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != verifiers[0].Name() {
		return tree, errors.New("the checkpoint is of another log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func receipt(path string, vkeys []string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, checkpoint, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof with a leaf in its extra line")
	}
	leaf, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	tree, err := open(checkpoint, vkeys)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	fmt.Printf("OK entry %d of %d: %s\n", index, tree.N, leaf)
	return nil
}

// folder reads tiles of height 8 where c2sp.org/tlog-tiles puts them.
type folder string

func (f folder) Height() int                         { return 8 }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) file(t tlog.Tile) ([]byte, error) {
	path := strings.TrimPrefix(t.Path(), "tile/8/")
	path = strings.Replace(path, "data/", "entries/", 1)
	data, err := os.ReadFile(filepath.Join(string(f), "tile", path))
	if errors.Is(err, os.ErrNotExist) && t.W < 256 {
		path = strings.TrimSuffix(path, fmt.Sprintf(".p/%d", t.W))
		data, err = os.ReadFile(filepath.Join(string(f), "tile", path))
	}
	return data, err
}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		data, err := f.file(t)
		if err != nil {
			return nil, err
		}
		if len(data) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is short", t.Path())
		}
		out = append(out, data[:t.W*tlog.HashSize])
	}
	return out, nil
}

func log(dir string, vkeys []string) error {
	checkpoint, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(checkpoint, vkeys)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, folder(dir))
	for first := int64(0); first < tree.N; first += 256 {
		width := tree.N - first
		if width > 256 {
			width = 256
		}
		bundle, err := folder(dir).file(tlog.Tile{H: 8, L: -1, N: first / 256, W: int(width)})
		if err != nil {
			return err
		}
		var indexes []int64
		for i := first; i < first+width; i++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, i))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, want := range hashes {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("the bundle ends before entry %d", first+int64(i))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != want {
				return fmt.Errorf("entry %d is not what the tree says", first+int64(i))
			}
			bundle = bundle[end:]
		}
	}
	fmt.Printf("OK log of %d entries\n", tree.N)
	return nil
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: verify VKEY[,VKEY...] receipt|log PATH...")
		os.Exit(2)
	}
	check := map[string]func(string, []string) error{"receipt": receipt, "log": log}[os.Args[2]]
	for _, path := range os.Args[3:] {
		if err := check(path, strings.Split(os.Args[1], ",")); err != nil {
			fmt.Fprintf(os.Stderr, "REFUSED %s: %v\n", path, err)
			os.Exit(1)
		}
	}
}
