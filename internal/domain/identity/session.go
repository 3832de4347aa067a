package identity

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	sessionFor = 12 * time.Hour
	idleFor    = 30 * time.Minute
	provedFor  = 10 * time.Minute
	linkFor    = time.Hour
	seenEvery  = time.Minute
)

// Login checks a password and gives a session. origin is the address that asks.
func (s *Service) Login(ctx context.Context, name, password, origin string) (string, time.Time, error) {
	ctx = db.Urgent(ctx)
	u, err := s.oneUser(ctx, "name", name)
	if err != nil {
		return "", time.Time{}, err
	}
	if err := s.check(ctx, u, name, password, origin); err != nil {
		return "", time.Time{}, err
	}
	return s.session(ctx, u, origin, nil)
}

// check compares a password within the limits of tries. A name that does not
// exist and a user who is disabled answer as a wrong password does.
func (s *Service) check(ctx context.Context, u Account, name, password, origin string) error {
	if !s.tries.allowed(name, origin, func() bool { return s.knows(ctx, u.ID, origin) }) {
		return errs.New(errs.Exhausted, "identity.too_many_tries", "too many failed log-ins from here: "+
			"at most %d for a name and %d from an address within an hour; wait, or log in from elsewhere", maxByName, maxByOrigin)
	}
	ok, busy := s.hasher.verify(u.password, password)
	if busy {
		s.tries.passed(name, origin, false)
		return errs.New(errs.Exhausted, "identity.busy", "too many log-ins at once: try again in a moment")
	}
	if !ok || u.Disabled {
		if s.tries.failed(name, origin) {
			if err := s.refused(ctx, name, origin); err != nil {
				return err
			}
		}
		return errs.New(errs.Unauthenticated, "identity.wrong_password", "name or password is wrong")
	}
	s.tries.passed(name, origin, true)
	return nil
}

// self is the name under which a subject's proofs of itself are counted: apart
// from the log-ins that anybody may try in its name.
func (s Subject) self() string { return s.ID + " " + s.Session }

// refused keeps that a log-in failed, whoever it named.
func (s *Service) refused(ctx context.Context, name, origin string) error {
	if sub := From(ctx); origin == "" { // the owner of a session, or who sits before it
		name = sub.Name
	}
	detail, err := json.Marshal(map[string]string{"name": name, "from": origin})
	if err != nil {
		return err
	}
	return s.db.Do(ctx, func(tx *db.Tx) error {
		return s.audit.Write(ctx, tx, audit.Record{
			Project: "default", Actor: From(ctx).Actor(), Verb: "identity.login", Object: "login/" + name, Outcome: audit.Refused, Detail: detail})
	})
}

// Redeem exchanges a one-time link for a session.
func (s *Service) Redeem(ctx context.Context, link, origin string) (string, time.Time, error) {
	ctx = db.Urgent(ctx)
	t, err := s.tokenByHash(ctx, digest(link))
	if err != nil || t == nil || t.Kind != kindLink || t.Expires.Before(s.clock.Now()) {
		return "", time.Time{}, errs.New(errs.Unauthenticated, "identity.link", "the link was used or is too old")
	}
	u, err := s.oneUser(ctx, "id", t.user)
	if err != nil {
		return "", time.Time{}, err
	}
	return s.session(ctx, u, origin, func(tx *db.Tx) error {
		n, err := tx.Exec("DELETE FROM identity_token WHERE id = ?", t.ID)
		if err == nil && n == 0 {
			return errs.New(errs.Unauthenticated, "identity.link", "the link was used or is too old")
		}
		return err
	})
}

// Link makes a link that logs a user in once, within an hour.
func (s *Service) link(tx *db.Tx, userID string) (string, error) {
	secret, now := clock.NewToken("sxl_"), s.clock.Now()
	return secret, insertToken(tx, Token{ID: clock.NewID(s.clock), user: userID,
		Name: "one-time log-in", Kind: kindLink, hash: digest(secret), Expires: now.Add(linkFor), Created: now})
}

// Recover makes such a link for a user who has lost the password, for whoever
// has the platform's data in hand.
func (s *Service) Recover(ctx context.Context, name string) (string, error) {
	u, err := s.oneUser(ctx, "name", name)
	if err != nil {
		return "", err
	}
	switch {
	case u.ID == "":
		return "", errs.New(errs.NotFound, "user.not_found", "there is no user %q", name)
	case u.Disabled:
		return "", errs.New(errs.Conflict, "user.disabled", "the user %s is disabled: recover an administrator, who can enable it", name)
	}
	link := ""
	err = s.write(ctx, func(tx *db.Tx) error {
		var err error
		if link, err = s.link(tx, u.ID); err != nil {
			return err
		}
		return s.record(AsSystem(ctx, "recover"), tx, "user.recover", "user/"+u.ID, named(u))
	})
	return link, err
}

func (s *Service) session(ctx context.Context, u Account, origin string, also func(*db.Tx) error) (string, time.Time, error) {
	secret, now := clock.NewToken("sxs_"), s.clock.Now()
	t := Token{ID: clock.NewID(s.clock), user: u.ID, Name: "session", Kind: kindSession,
		hash: digest(secret), Expires: now.Add(sessionFor), Created: now, proved: now, Origin: origin}
	err := s.write(ctx, func(tx *db.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if err := insertToken(tx, t); err != nil {
			return err
		}
		return s.record(With(ctx, Subject{ID: "user/" + u.ID, Name: u.Name}), tx, "identity.login", "user/"+u.ID, named(u))
	})
	return secret, t.Expires, err
}

// Prove renews the proof of who sits before a session, for what needs a fresh
// one.
func (s *Service) Prove(ctx context.Context, password, _ string) error {
	ctx = db.Urgent(ctx)
	sub := From(ctx)
	if sub.Session == "" {
		return errs.New(errs.Invalid, "identity.no_session", "only a session can be confirmed: a token needs no password")
	}
	u, err := s.oneUser(ctx, "id", sub.userID())
	if err != nil {
		return err
	}
	if err := s.check(ctx, u, sub.self(), password, ""); err != nil {
		return err
	}
	return s.write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE identity_token SET proved = ? WHERE id = ?", clock.Micros(s.clock.Now()), sub.Session)
		return err
	})
}

// Fresh checks that the owner of the session gave a password within ten minutes.
// Tokens have no such proof and need none: they are made for one purpose.
func (s *Service) Fresh(ctx context.Context) error {
	sub := From(ctx)
	if sub.Session == "" || s.clock.Now().Sub(sub.Proved) <= provedFor {
		return nil
	}
	return errs.New(errs.Unauthenticated, "identity.reauth",
		"this needs your password once more: confirm the session with POST /api/v1/session/proof and repeat the request")
}

// Logout ends the session that asks. A token is ended by who gave it: an API token by
// its user, that of a plugin with its plugin.
func (s *Service) Logout(ctx context.Context) error {
	ctx = db.Urgent(ctx)
	sub := From(ctx)
	if sub.Session == "" {
		return errs.New(errs.Invalid, "identity.no_session", "a token is no session and does not end itself: "+
			"its user ends it with DELETE /api/v1/tokens/{id}, and that of a plugin ends with the plugin")
	}
	return s.write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM identity_token WHERE id = ? AND user_id = ? AND kind = ?", sub.Session, sub.userID(), kindSession)
		return err
	})
}

// EndSession ends a session of the subject of ctx.
func (s *Service) EndSession(ctx context.Context, id string) error {
	if err := whole(ctx); err != nil {
		return err
	}
	return s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec("DELETE FROM identity_token WHERE id = ? AND user_id = ? AND kind = ?", id, From(ctx).userID(), kindSession)
		if err != nil {
			return err
		}
		if n == 0 {
			return errs.New(errs.NotFound, "session.not_found", "there is no session %q of yours", id)
		}
		return s.record(ctx, tx, "session.end", "session/"+id, nil)
	})
}

// ChangePassword replaces the password of the subject of ctx and ends its other
// sessions.
func (s *Service) ChangePassword(ctx context.Context, current, next, _ string) error {
	sub := From(ctx)
	u, err := s.oneUser(ctx, "id", sub.userID())
	if err != nil {
		return err
	}
	if sub.Kind != User || sub.Scope != nil {
		return errs.New(errs.Forbidden, "identity.forbidden", "only a user can change its password, not a narrowed token")
	}
	if err := checkPassword(u.Name, next); err != nil {
		return err
	}
	if err := s.check(ctx, u, sub.self(), current, ""); err != nil {
		if errs.Is(err, errs.Unauthenticated) {
			return errs.New(errs.Invalid, "identity.current_password", "the current password is wrong").
				At(errs.Field{Path: "current", Message: "wrong"})
		}
		return err
	}
	return s.setPassword(ctx, u, next, sub.Session)
}

func (s *Service) setPassword(ctx context.Context, u Account, password, keep string) error {
	hash := s.hasher.hash(password)
	return s.write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec("UPDATE identity_user SET password = ?, version = version + 1 WHERE id = ?", hash, u.ID); err != nil {
			return err
		}
		if err := endSessions(tx, u.ID, keep, false); err != nil {
			return err
		}
		return s.record(ctx, tx, "user.password", "user/"+u.ID, named(u))
	})
}

// Origin is the address that a request comes from, without its port.
func Origin(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
