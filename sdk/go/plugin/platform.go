package plugin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"

	"sextant/sdk/go/wire"
)

const keySize = 32

// keyFile reads the key of a plugin that nobody gave one, and makes it where
// there is none.
func keyFile(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, keySize)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		_, err = f.Write(key)
		return key, errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("%s has %d bytes and not %d: bring it back from a backup", path, len(key), keySize)
	}
	return key, err
}

// jobKey finds the Idempotency-Key of the call at work.
type jobKey struct{}

// platform carries requests to the platform's API with the plugin's token and
// the call that it works on.
type platform struct {
	host *Host
	job  string
}

// RoundTrip adds what the request lacks.
func (p platform) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(p.host.URL)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = to.Scheme, to.Host, to.Host
	r.Header.Set("Authorization", "Bearer "+p.host.Token)
	if p.job != "" {
		r.Header.Set(wire.HeaderJob, p.job)
	}
	carry := p.host.Client.Transport
	if carry == nil {
		carry = http.DefaultTransport
	}
	return carry.RoundTrip(r)
}

// Platform gives a client of the platform's API for a call that is being worked
// on: ctx is the one that the author's function got. What is asked through it has
// the rights of the run that made the call, and no others; addresses need a path
// alone, such as /api/v1/object-changes. Outside a call it has the rights of the
// plugin itself.
func (h *Host) Platform(ctx context.Context) *http.Client {
	job, _ := ctx.Value(jobKey{}).(string)
	return &http.Client{Transport: platform{h, job}}
}
