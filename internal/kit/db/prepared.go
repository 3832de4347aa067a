package db

import (
	"context"
	"database/sql"
	"strings"
	"sync"
)

const (
	cachedStatements = 512 // texts of statements kept prepared, on each side
	fewPlaces        = 16  // a text with more placeholders is made for one occasion
)

// statements keeps reading statements prepared. None is thrown out, so that nobody
// holds one that was closed: once it is full, other texts are prepared each time.
type statements struct {
	mu     sync.RWMutex
	by     map[string]*sql.Stmt
	closed bool
}

// of gives the prepared statement for a text, or nil where there is none.
func (c *statements) of(ctx context.Context, from *sql.DB, query string) *sql.Stmt {
	c.mu.RLock()
	s, full := c.by[query], len(c.by) >= cachedStatements || c.closed
	c.mu.RUnlock()
	if s != nil || full || strings.Count(query, "?") > fewPlaces {
		return s
	}
	s, err := from.PrepareContext(ctx, query)
	if err != nil {
		return nil // told by the query itself
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.by[query]; other != nil || c.closed {
		_ = s.Close() // somebody was faster
		return other
	}
	if c.by == nil {
		c.by = map[string]*sql.Stmt{}
	}
	c.by[query] = s
	return s
}

func (c *statements) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.by {
		_ = s.Close() // the connections go next
	}
	c.by, c.closed = nil, true
}
