package bundle

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aead.dev/minisign"
)

// The names of what vouches for a release.
const (
	SumsFile      = "SHA256SUMS"
	SignatureFile = "SHA256SUMS.minisig"
)

// key reads the secret key; nil for none.
func (o *Options) key() (*minisign.PrivateKey, error) {
	if o.Key == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if !minisign.IsEncrypted(data) {
		var k minisign.PrivateKey
		if err := k.UnmarshalText(data); err != nil {
			return nil, fmt.Errorf("key %s: %w", o.Key, err)
		}
		return &k, nil
	}
	if o.PasswordFile == "" {
		return nil, fmt.Errorf("key %s has a password: name the file that holds it with -password", o.Key)
	}
	password, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	k, err := minisign.DecryptKey(strings.TrimRight(string(password), "\r\n"), data)
	if err != nil {
		return nil, fmt.Errorf("key %s does not open with the password in %s: %w", o.Key, o.PasswordFile, err)
	}
	return &k, nil
}

// seal writes the check sums of all files and signs them.
func (o *Options) seal(key *minisign.PrivateKey) error {
	sums, err := sumsOf(o.Out)
	if err != nil {
		return fmt.Errorf("release: check sums: %w", err)
	}
	if err := os.WriteFile(filepath.Join(o.Out, SumsFile), sums, 0o644); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if key == nil {
		o.Say("%s, WITHOUT a signature: no key was given", SumsFile)
		return nil
	}
	comment := fmt.Sprintf("sextant %s, %s", o.Version, o.Time.Format("2006-01-02T15:04:05Z"))
	signature := minisign.SignWithComments(*key, sums, comment, "signature of "+SumsFile+" of sextant "+o.Version)
	if err := os.WriteFile(filepath.Join(o.Out, SignatureFile), signature, 0o644); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	o.Say("%s and %s", SumsFile, SignatureFile)
	return nil
}

// sumsOf are the check sums of the files of a folder, in the form of sha256sum.
func sumsOf(dir string) ([]byte, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, e := range all {
		if e.Name() == SumsFile || e.Name() == SignatureFile {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s  %s\n", hex.EncodeToString(h.Sum(nil)), e.Name())
	}
	return out.Bytes(), nil
}

// Verify checks a release against a public key: the signature of the check sums,
// then every file. A file that the sums do not name is refused as well. It returns
// an error that names what is wrong.
func Verify(dir, publicKey string) error {
	key, err := minisign.PublicKeyFromFile(publicKey)
	if err != nil {
		return fmt.Errorf("verify: public key %s: %w", publicKey, err)
	}
	sums, err := os.ReadFile(filepath.Join(dir, SumsFile))
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	signature, err := os.ReadFile(filepath.Join(dir, SignatureFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("verify: the release has no signature: %s is missing", SignatureFile)
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if !minisign.Verify(key, sums, signature) {
		return fmt.Errorf("verify: %s is not signed by this key, or was changed since", SumsFile)
	}
	now, err := sumsOf(dir)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return compare(lines(sums), lines(now))
}

// lines are check sums by file.
func lines(sums []byte) map[string]string {
	all := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(sums)); s.Scan(); {
		if sum, name, ok := strings.Cut(s.Text(), "  "); ok {
			all[name] = sum
		}
	}
	return all
}

func compare(want, got map[string]string) error {
	var wrong []error
	for name, sum := range want {
		switch {
		case got[name] == "":
			wrong = append(wrong, fmt.Errorf("verify: %s is missing", name))
		case got[name] != sum:
			wrong = append(wrong, fmt.Errorf("verify: %s was changed: its SHA-256 is %s, not %s", name, got[name], sum))
		}
	}
	for name := range got {
		if want[name] == "" {
			wrong = append(wrong, fmt.Errorf("verify: %s is no part of the release", name))
		}
	}
	return errors.Join(wrong...)
}
