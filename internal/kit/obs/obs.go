// Package obs lets people see what a process does: structured logs, request
// ids and metrics.
package obs

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type requestKey struct{}

// WithRequestID returns a context that carries the id of the request it serves.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID gives the id of the request that ctx serves, empty outside one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// Format is how log lines are written.
type Format string

// The formats of log lines.
const (
	Text Format = "text"
	JSON Format = "json"
)

// NewLogger makes a logger that adds the request id of the context to each line.
func NewLogger(w io.Writer, level slog.Level, format Format) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if format == JSON {
		h = slog.NewJSONHandler(w, opts)
	}
	return slog.New(withRequest{h})
}

type withRequest struct{ slog.Handler }

// Handle adds the request id.
func (h withRequest) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the request id on loggers derived from this one.
func (h withRequest) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequest{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the request id on loggers derived from this one.
func (h withRequest) WithGroup(name string) slog.Handler {
	return withRequest{h.Handler.WithGroup(name)}
}

// Metrics is the set of figures that a process shows.
type Metrics struct{ reg *prometheus.Registry }

// NewMetrics makes a set with the figures of the Go runtime and the process.
func NewMetrics() *Metrics {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Metrics{reg: reg}
}

// Gauge shows the value that fn gives whenever somebody looks.
func (m *Metrics) Gauge(name, help string, fn func() float64) {
	m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, fn))
}

// Counter shows a number that only grows, read from fn.
func (m *Metrics) Counter(name, help string, fn func() float64) {
	m.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, fn))
}

// Requests counts and times HTTP requests by route and status.
func (m *Metrics) Requests() func(route, status string, seconds float64) {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sextant_http_request_seconds", Help: "Time to answer an API request.", Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10},
	}, []string{"route", "status"})
	m.reg.MustRegister(h)
	return func(route, status string, seconds float64) { h.WithLabelValues(route, status).Observe(seconds) }
}

// Handler answers with the figures in OpenMetrics where the client asks for it,
// else in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
