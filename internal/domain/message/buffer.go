package message

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"regexp"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Buffered is a message that waits for somebody. What it brings is not told: it is for
// those who take it.
type Buffered struct {
	Key         string    `json:"key"`
	Name        string    `json:"name"`
	Correlation string    `json:"correlationKey,omitempty"`
	ID          string    `json:"messageId,omitempty" doc:"The id that its publisher gave it"`
	Size        int       `json:"size" doc:"Bytes of its variables"`
	By          string    `json:"by" doc:"Who published it"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
}

// BufferFilter selects messages that wait.
type BufferFilter struct {
	Project string `query:"project" default:"default" maxLength:"64"`
	Name    string `query:"name" maxLength:"190" doc:"Only messages of this name"`
	api.Paging
}

// keyForm is what keys of messages look like.
var keyForm = regexp.MustCompile(`^[0-9A-Z]{1,26}$`)

// room refuses a message where too many wait already, in its project or of its
// publisher: nobody takes the place of all others.
func room(ctx context.Context, q db.Querier, p post) error {
	all, own := 0, 0
	err := q.QueryRow(ctx, "SELECT COUNT(*), COALESCE(SUM(CASE WHEN subject = ? THEN 1 ELSE 0 END), 0) "+
		"FROM message_post WHERE project = ? AND is_signal = 0 AND expires > ?",
		p.rights.Subject, p.project, clock.Micros(p.created)).Scan(&all, &own)
	switch {
	case err != nil:
		return err
	case own >= MaxOwn:
		return errs.New(errs.Exhausted, "message.full", "%d messages of %s wait in project %q already: "+
			"wait until some are taken or expire, delete some, or publish without a time to live", own, p.rights.Name, p.project)
	case all >= MaxBuffered:
		return errs.New(errs.Exhausted, "message.full", "%d messages wait in project %q already: "+
			"wait until some are taken or expire, have some deleted, or publish without a time to live", all, p.project)
	}
	return nil
}

// mayManage reports whether the subject of ctx, who may publish in a project, has to do
// with the messages of all there, not his own alone.
func mayManage(ctx context.Context, project string) (bool, error) {
	err := identity.Require(ctx, "message.publish", project)
	return err == nil && identity.From(ctx).Can("message.write", project), err
}

// Buffer lists the messages of a project that wait, the oldest first: one's own, or all
// for who may remove them.
func (s *Service) Buffer(ctx context.Context, f BufferFilter) (api.Page[Buffered], error) {
	all, err := mayManage(ctx, f.Project)
	if err != nil {
		return api.Page[Buffered]{}, err
	}
	if f.After != "" && !keyForm.MatchString(f.After) {
		return api.Page[Buffered]{}, api.BadCursor()
	}
	query, args := "SELECT message, name, correlation, id, OCTET_LENGTH(variables), rights, created, expires "+
		"FROM message_post WHERE project = ? AND is_signal = 0 AND expires > ? AND message > ?",
		[]any{f.Project, clock.Micros(s.Clock.Now()), f.After}
	if f.Name != "" {
		query, args = query+" AND name = ?", append(args, f.Name)
	}
	if !all {
		query, args = query+" AND subject = ?", append(args, identity.From(ctx).ID)
	}
	rows, err := s.DB.Query(ctx, query+" ORDER BY message LIMIT ?", append(args, f.Limit+1)...)
	found, err := db.Scan(rows, err, scanBuffered)
	return api.PageOf(found, f.Limit, func(b Buffered) string { return b.Key }), err
}

func scanBuffered(r *sql.Rows) (b Buffered, err error) {
	var rights string
	var created, expires int64
	if err = r.Scan(&b.Key, &b.Name, &b.Correlation, &b.ID, &b.Size, &rights, &created, &expires); err != nil {
		return b, err
	}
	if b.ID == b.Key {
		b.ID = "" // it was given none
	}
	b.Created, b.Expires = clock.FromMicros(created), clock.FromMicros(expires)
	var by identity.Rights
	err = json.Unmarshal([]byte(rights), &by)
	b.By = by.Name
	return b, err
}

// Delete removes a message that waits: nobody takes it any more.
func (s *Service) Delete(ctx context.Context, key string) error {
	missing := errs.New(errs.NotFound, "message.not_found", "there is no message %.40q that waits, or you may not see it", key)
	return s.DB.Do(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+postColumns+" FROM message_post WHERE message = ? AND is_signal = 0 AND expires > ?",
			key, clock.Micros(s.Clock.Now()))
		found, err := db.Scan(rows, err, scanPost)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return missing
		}
		p := found[0]
		if all, err := mayManage(ctx, p.project); err != nil || !all && p.rights.Subject != identity.From(ctx).ID {
			return missing
		}
		if err := dropPost(tx, p.key); err != nil {
			return err
		}
		detail, err := json.Marshal(map[string]any{"name": p.name, "key": p.correlation, "message": p.key, "by": p.rights.Name})
		if err != nil {
			return err
		}
		return s.Audit.Write(ctx, tx,
			audit.Record{Project: p.project, Actor: identity.From(ctx).Actor(), Verb: "message.delete", Object: "message/" + p.name, Detail: detail})
	})
}

func (s *Service) bufferRoutes(a *api.API) {
	type page struct{ Body api.Page[Buffered] }
	api.Register(a, api.Endpoint{ID: "listMessages", Method: http.MethodGet, Path: "/api/v1/messages",
		Tag: "messages", Summary: "Messages that wait: one's own, or all with the right message.write", Permission: "message.publish"},
		func(ctx context.Context, in *BufferFilter) (*page, error) {
			p, err := s.Buffer(ctx, *in)
			return &page{p}, err
		})
	type one struct {
		Key string `path:"key" maxLength:"26"`
	}
	api.Register(a, api.Endpoint{ID: "deleteMessage", Method: http.MethodDelete,
		Path: "/api/v1/messages/{key}", Tag: "messages", Summary: "Remove a message that waits: one's own, or any with the right message.write",
		Permission: "message.publish", Status: http.StatusNoContent},
		func(ctx context.Context, in *one) (*struct{}, error) { return nil, s.Delete(ctx, in.Key) })
}
