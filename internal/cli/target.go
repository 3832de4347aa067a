package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/config"
	"sextant/sdk/go/client"
)

const defaultURL = "http://127.0.0.1:8066"

// target is the platform that a command talks to, and as whom.
type target struct {
	url, token, project string
	file                string
}

func (t *target) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&t.url, "url", "", "address of the server; else SEXTANT_URL, else where you logged in, else "+defaultURL)
	f.StringVar(&t.token, "token", "", "API token; else SEXTANT_TOKEN, else that of your log-in")
	f.StringVar(&t.project, "project", "default", "project to work in")
	f.StringVar(&t.file, "credentials", "", "file with the log-in; else SEXTANT_CREDENTIALS, else in your configuration folder")
}

// credentials is a log-in that was kept.
type credentials struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

func (t *target) path() (string, error) {
	if t.file != "" {
		return t.file, nil
	}
	if file := config.Variable("SEXTANT_CREDENTIALS"); file != "" {
		return file, nil
	}
	home, err := config.Home()
	if err != nil {
		return "", fmt.Errorf("there is no place for the log-in: %w", err)
	}
	return filepath.Join(home, "sextant", "credentials.json"), nil
}

func (t *target) load() (credentials, error) {
	var c credentials
	path, err := t.path()
	if err != nil {
		return c, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s is damaged (%w): log in again", path, err)
	}
	return c, nil
}

// save keeps a log-in for this user alone, also where the file was readable by
// others before.
func (c credentials) save(path string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".credentials-") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that counts is the first
	}
	return err
}

// address is the server's, without asking for a log-in.
func (t *target) address() (string, credentials, error) {
	kept, err := t.load()
	if err != nil {
		return "", kept, err
	}
	for _, url := range []string{t.url, config.Variable("SEXTANT_URL"), kept.URL, defaultURL} {
		if url != "" {
			return url, kept, nil
		}
	}
	return defaultURL, kept, nil
}

// client is a client with a log-in. A kept log-in is for its own server alone.
func (t *target) client() (*client.Client, error) {
	url, kept, err := t.address()
	if err != nil {
		return nil, err
	}
	token := t.token
	if token == "" {
		token = config.Variable("SEXTANT_TOKEN")
	}
	if token == "" && kept.URL == url {
		token = kept.Token
	}
	if token == "" {
		return nil, command.Usage("you are not logged in at %s: run sextant login, or give --token", url)
	}
	return &client.Client{URL: url, Token: token}, nil
}
