package identity

import (
	"context"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// IssuePlugin gives a plugin a token of its own; earlier ones end.
func (s *Service) IssuePlugin(ctx context.Context, plugin string) (string, error) {
	secret, now := clock.NewToken("sxp_"), s.clock.Now()
	err := s.write(ctx, func(tx *db.Tx) error {
		if err := s.RevokePlugin(tx, plugin); err != nil {
			return err
		}
		return insertToken(tx, Token{ID: clock.NewID(s.clock), user: plugin, Name: plugin, Kind: kindPlugin, hash: digest(secret), Created: now})
	})
	return secret, err
}

// RevokePlugin ends the token of a plugin.
func (s *Service) RevokePlugin(tx *db.Tx, plugin string) error {
	s.known.Changes(tx)
	_, err := tx.Exec("DELETE FROM identity_token WHERE user_id = ? AND kind = ?", plugin, kindPlugin)
	return err
}

// NewToken describes an API token to create.
type NewToken struct {
	Name  string        `json:"name" minLength:"1" maxLength:"64"`
	Scope []string      `json:"scope,omitempty" doc:"Permissions the token is narrowed to; empty for all of its user's"`
	For   time.Duration `json:"-"`
}

// CreateToken makes an API token for the subject of ctx; the secret is shown
// once.
func (s *Service) CreateToken(ctx context.Context, n NewToken) (Token, string, error) {
	sub := From(ctx)
	if sub.Kind != User {
		return Token{}, "", errs.New(errs.Forbidden, "identity.forbidden", "only users have API tokens")
	}
	if err := whole(ctx); err != nil {
		return Token{}, "", err
	}
	for _, p := range n.Scope {
		if !permissionForm.MatchString(p) {
			return Token{}, "", errs.New(errs.Invalid, "identity.scope", "%q is no permission: write domain.verb, domain.* or *", p).
				At(errs.Field{Path: "scope", Message: "want domain.verb, domain.* or *"})
		}
	}
	secret, now := clock.NewToken("sxt_"), s.clock.Now()
	t := Token{ID: clock.NewID(s.clock), user: sub.userID(), Name: n.Name,
		Kind: kindAPI, hash: digest(secret), Scope: n.Scope, Expires: now.Add(n.For), Created: now, Seen: now}
	err := s.write(ctx, func(tx *db.Tx) error {
		if err := insertToken(tx, t); err != nil {
			return err
		}
		return s.record(ctx, tx, "token.create", "token/"+t.ID, map[string]any{"name": n.Name, "scope": n.Scope, "expires": t.Expires})
	})
	return t, secret, err
}

// Tokens lists the API tokens of the subject of ctx, or its sessions.
func (s *Service) Tokens(ctx context.Context, sessions bool, p api.Paging) (api.Page[Token], error) {
	sub, kind := From(ctx), kindAPI
	if sessions {
		kind = kindSession
	}
	all, err := s.tokensOf(ctx, sub.userID(), kind, p)
	if err != nil {
		return api.Page[Token]{}, err
	}
	for i := range all {
		all[i].Current = all[i].ID == sub.Session
	}
	return api.PageOf(all, p.Limit, func(t Token) string { return t.ID }), nil
}

// whole refuses what a narrowed token may not do for its user: whoever holds it was
// given some permissions, and neither the user's sessions nor other tokens.
func whole(ctx context.Context) error {
	if From(ctx).Scope != nil {
		return errs.New(errs.Forbidden, "identity.narrow_token", "a narrowed token cannot create or end tokens and sessions")
	}
	return nil
}

// RevokeToken ends an API token of the subject of ctx.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	if err := whole(ctx); err != nil {
		return err
	}
	return s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec("DELETE FROM identity_token WHERE id = ? AND user_id = ? AND kind = ?", id, From(ctx).userID(), kindAPI)
		if err != nil {
			return err
		}
		if n == 0 {
			return errs.New(errs.NotFound, "token.not_found", "there is no token %q of yours", id)
		}
		return s.record(ctx, tx, "token.delete", "token/"+id, nil)
	})
}
