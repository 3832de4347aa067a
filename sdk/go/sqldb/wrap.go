package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

const (
	keptStatements = 256 // prepared for each connection
	keptPlaces     = 16  // a text with more placeholders is made for one occasion
)

// kind is what a statement takes in the place of a value.
type kind int

const (
	kindOther kind = iota
	kindText
	kindBytes
	kindInt
	kindNarrow // an integer of less than 64 bits, as what a bare number stands beside
)

// typesOf tells which kinds of values a prepared statement takes.
type typesOf func(ctx context.Context, query string) ([]kind, error)

// connector opens the connections of a server's driver and gives each its
// settings. The house's SQL is rendered on its way.
type connector struct {
	inner   driver.Connector
	dialect Dialect
	begin   func(ctx context.Context, c driver.Conn) (typesOf, error)
}

// Connect opens a connection.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	var made *line
	inner, err := c.inner.Connect(context.WithValue(ctx, madeKey{}, &made))
	if err != nil {
		return nil, err
	}
	kinds, err := c.begin(ctx, inner)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return &conn{Conn: inner, dialect: c.dialect, kinds: kinds, kept: map[string]*stmt{}, line: made}, nil
}

// Driver is that of the server.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

// conn is a connection that takes the house's SQL. What is run more than once
// stays prepared.
type conn struct {
	driver.Conn
	dialect Dialect
	kinds   typesOf
	kept    map[string]*stmt
	line    *line
}

// PrepareContext prepares a statement.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.prepare(ctx, query)
}

func (c *conn) prepare(ctx context.Context, query string) (*stmt, error) {
	c.line.wait(ctx)
	text := adapt(c.dialect, query)
	inner, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s := &stmt{Stmt: inner, line: c.line}
	if c.kinds == nil {
		return s, nil
	}
	if s.kinds, err = c.kinds(ctx, text); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	var narrow []int
	for i, k := range s.kinds {
		if k == kindNarrow {
			narrow = append(narrow, i+1)
			s.kinds[i] = kindInt
		}
	}
	if len(narrow) == 0 {
		return s, nil
	}
	if err := inner.Close(); err != nil {
		return nil, err
	}
	s.Stmt, err = c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, adapt(c.dialect, query, narrow...))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// keep prepares a statement that is likely to come again; nil for another one.
func (c *conn) keep(ctx context.Context, query string) (*stmt, error) {
	if s := c.kept[query]; s != nil {
		return s, nil
	}
	if strings.Count(query, "?") > keptPlaces {
		return nil, nil
	}
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(c.kept) >= keptStatements {
		for text, old := range c.kept {
			_ = old.Close()
			delete(c.kept, text)
			break
		}
	}
	c.kept[query] = s
	return s, nil
}

// ExecContext runs a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.line.wait(ctx)
	if len(args) == 0 { // several statements in one text, and what cannot be prepared
		return c.Conn.(driver.ExecerContext).ExecContext(ctx, adapt(c.dialect, query), nil)
	}
	s, err := c.keep(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, driver.ErrSkip
	}
	return s.ExecContext(ctx, args)
}

// QueryContext reads rows.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.keep(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, driver.ErrSkip
	}
	return s.QueryContext(ctx, args)
}

// BeginTx begins a transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// CheckNamedValue leaves the few types that every driver knows.
func (c *conn) CheckNamedValue(v *driver.NamedValue) (err error) {
	v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	return err
}

// Ping asks whether the server is there.
func (c *conn) Ping(ctx context.Context) error { return c.Conn.(driver.Pinger).Ping(ctx) }

// ResetSession is called before a connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

// IsValid reports whether the connection may be used again.
func (c *conn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

// stmt is a prepared statement.
type stmt struct {
	driver.Stmt
	kinds []kind
	line  *line
}

// ExecContext runs the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.line.wait(ctx)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, s.fit(args))
}

// QueryContext reads rows.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.line.wait(ctx)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, s.fit(args))
}

// CheckNamedValue leaves the few types that every driver knows.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) (err error) {
	v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	return err
}

// fit gives values the types that the statement takes: SQLite and MySQL do so
// by themselves.
func (s *stmt) fit(args []driver.NamedValue) []driver.NamedValue {
	if s.kinds == nil {
		return args
	}
	for i := range args {
		if i >= len(s.kinds) {
			break
		}
		switch v := args[i].Value.(type) {
		case string:
			if s.kinds[i] == kindBytes {
				args[i].Value = []byte(v)
			}
		case []byte:
			if s.kinds[i] == kindText && v != nil {
				args[i].Value = string(v)
			}
		case bool:
			if s.kinds[i] == kindInt {
				args[i].Value = map[bool]int64{true: 1}[v]
			}
		}
	}
	return args
}

// classifyNet finds what the drivers return as it comes: a connection that
// cannot be made or that broke.
func classifyNet(err error) (Fault, bool) {
	var ne net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return FaultOther, false
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, &ne),
		strings.Contains(err.Error(), "conn closed"), strings.Contains(err.Error(), "failed to connect to"):
		return FaultAway, true
	}
	return FaultOther, false
}
