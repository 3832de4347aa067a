package objectstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// sealer keeps secret values from whoever reads the database: AES-256-GCM, each
// value bound to its attribute of its row.
type sealer struct{ aead cipher.AEAD }

// sealed is the form of a secret value in the database.
type sealed struct {
	Text string `json:"$sealed"`
}

// errSealed says that a value was sealed with another key, or moved.
var errSealed = errors.New(
	"a secret cannot be opened: the plugin has another key than the one that sealed it; bring the key back from a backup")

func newSealer(key []byte) (*sealer, error) {
	if len(key) == 0 {
		return nil, nil //nolint:nilnil // without a key there are no secrets
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("objects: the key of secrets: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead}, err
}

// inClear reports whether a stored value of a secret is not sealed.
func inClear(raw json.RawMessage) bool {
	var s sealed
	return !isNull(raw) && (json.Unmarshal(raw, &s) != nil || s.Text == "")
}

func (s *sealer) close(place string, raw json.RawMessage) (json.RawMessage, error) {
	if s == nil {
		return nil,
			plugin.Fail("object.no_key", "the plugin has no key to seal secrets with: start it with SEXTANT_KEY, or with a folder of its own")
	}
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return wire.Raw(sealed{base64.RawStdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, raw, []byte(place)))}), nil
}

func (s *sealer) open(place string, raw json.RawMessage) (json.RawMessage, error) {
	var v sealed
	if json.Unmarshal(raw, &v) != nil || v.Text == "" {
		return raw, nil // written before values were sealed
	}
	data, err := base64.RawStdEncoding.DecodeString(v.Text)
	if s == nil || err != nil || len(data) < s.aead.NonceSize() {
		return nil, errSealed
	}
	n := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, data[:n], data[n:], []byte(place))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// place is what a secret value is bound to.
func (s *shape) place(id, attr string) string { return s.Type + "/" + id + "#" + attr }

// seal gives a row as it is stored.
func (s *shape) seal(id string, row wire.Row) (wire.Row, error) {
	if len(s.secrets) == 0 {
		return row, nil
	}
	row = maps.Clone(row)
	for _, name := range s.secrets {
		if isNull(row[name]) {
			continue
		}
		closed, err := s.sealer.close(s.place(id, name), row[name])
		if err != nil {
			return nil, err
		}
		row[name] = closed
	}
	return row, nil
}

// read makes a row of what is stored.
func (s *shape) read(data []byte) (wire.Row, error) {
	var row wire.Row
	if err := json.Unmarshal(data, &row); err != nil || len(s.secrets) == 0 {
		return row, err
	}
	id := text(row[wire.AttrID])
	for _, name := range s.secrets {
		if isNull(row[name]) {
			continue
		}
		opened, err := s.sealer.open(s.place(id, name), row[name])
		if err != nil {
			return nil, fmt.Errorf("%s:%s/%s, %s: %w", s.plugin, s.Type, id, name, err)
		}
		row[name] = opened
	}
	return row, nil
}

// Upgrade brings what an older store wrote into the form of this one: it seals
// secrets, tells the environment of what stands in the history, and keeps values
// that are to be unique by project. Types that are not known are left alone. It
// can be done again.
func (s *Store) Upgrade(ctx context.Context) error {
	found, err := s.db.QueryContext(ctx, "SELECT DISTINCT type FROM object_row "+
		"UNION SELECT DISTINCT type FROM object_history WHERE environment = '?'")
	names, err := scan(found, err, oneText)
	if err != nil {
		return err
	}
	err = s.Do(ctx, plugin.By{}, func(tx *Tx) error {
		for _, name := range names {
			t, known, err := s.types(ctx, name)
			if err != nil {
				return err
			}
			if !known {
				continue
			}
			if err := tx.upgrade(ctx, tx.shape(t)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.scrub(ctx)
}

// stepScrub is left to be done where secrets were sealed that had lain in clear.
const stepScrub = "scrub"

// scrub overwrites what was sealed: SQLite leaves it in pages that are free and
// in its log.
func (s *Store) scrub(ctx context.Context) error {
	var n int
	if err := s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM object_step WHERE name = ?", stepScrub).Scan(&n); err != nil ||
		n == 0 || s.dialect != "sqlite" {
		return err
	}
	for _, q := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("objects: %s after secrets were sealed: %w", q, err)
		}
	}
	_, err := s.db.ExecContext(ctx, "DELETE FROM object_step WHERE name = ?", stepScrub)
	return err
}

// upgrade works on one type.
func (t *Tx) upgrade(ctx context.Context, def *shape) error {
	did, err := t.sealOld(ctx, def)
	if err != nil {
		return err
	}
	if did {
		if _, err := t.sql.ExecContext(ctx, "INSERT INTO object_step (name) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM object_step WHERE name = ?)",
			stepScrub, stepScrub); err != nil {
			return err
		}
	}
	if err := t.placeOld(ctx, def); err != nil {
		return err
	}
	return t.once(ctx, "unique by project: "+def.Type, func() error { return t.reindex(ctx, def) })
}

// once does something that is still to be done, one time.
func (t *Tx) once(ctx context.Context, name string, fn func() error) error {
	var n int
	if err := t.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM object_step WHERE name = ?", name).Scan(&n); err != nil || n == 0 {
		return err
	}
	if err := fn(); err != nil {
		return err
	}
	_, err := t.sql.ExecContext(ctx, "DELETE FROM object_step WHERE name = ?", name)
	return err
}

// sealOld seals the secrets that stand in clear.
func (t *Tx) sealOld(ctx context.Context, def *shape) (did bool, err error) {
	if len(def.secrets) == 0 {
		return false, nil
	}
	for after := ""; ; {
		rows, err := t.sql.QueryContext(ctx, "SELECT data FROM object_row WHERE type = ? AND id > ? ORDER BY id LIMIT ?",
			def.Type, after, portion)
		page, err := scan(rows, err, oneRow)
		if err != nil {
			return did, err
		}
		for _, row := range page {
			after = text(row[wire.AttrID])
			if !def.hasClear(row) {
				continue
			}
			closed, err := def.sealClear(after, row)
			if err != nil {
				return did, err
			}
			did = true
			if _, err := t.sql.ExecContext(ctx, "UPDATE object_row SET data = ? WHERE type = ? AND id = ?",
				[]byte(wire.Raw(closed)), def.Type, after); err != nil {
				return did, err
			}
		}
		if len(page) < portion {
			return did, nil
		}
	}
}

func (s *shape) hasClear(row wire.Row) bool {
	for _, name := range s.secrets {
		if inClear(row[name]) {
			return true
		}
	}
	return false
}

func (s *shape) sealClear(id string, row wire.Row) (wire.Row, error) {
	for _, name := range s.secrets {
		if !inClear(row[name]) {
			continue
		}
		closed, err := s.sealer.close(s.place(id, name), row[name])
		if err != nil {
			return nil, err
		}
		row[name] = closed
	}
	return row, nil
}

// placeOld tells the environment of old entries of the history: that of the
// object, where there still is one. Others are for those who may see every one.
func (t *Tx) placeOld(ctx context.Context, def *shape) error {
	if def.Scope == nil || def.Scope.Environment == "" {
		_, err := t.sql.ExecContext(ctx, "UPDATE object_history SET environment = '*' WHERE type = ? AND environment = '?'", def.Type)
		return err
	}
	_, err := t.sql.ExecContext(ctx, `UPDATE object_history SET environment = COALESCE((SELECT v.value `+
		`FROM object_value v WHERE v.type = object_history.type AND v.attr = ? AND v.id = object_history.id), '')
		WHERE type = ? AND environment = '?'`, def.Scope.Environment, def.Type)
	return err
}

func oneText(r *sql.Rows) (v string, err error) { return v, r.Scan(&v) }

func oneRow(r *sql.Rows) (wire.Row, error) {
	var data []byte
	if err := r.Scan(&data); err != nil {
		return nil, err
	}
	var row wire.Row
	return row, json.Unmarshal(data, &row)
}
