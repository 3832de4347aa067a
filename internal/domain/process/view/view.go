// Package view is how people see a run: its steps, folded from its history whenever
// somebody looks, live as it goes on, and what people decided about it. It changes
// nothing.
package view

import (
	"sextant/internal/domain/audit"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/process/definition"
	"sextant/internal/domain/process/runs"
	"sextant/internal/kit/db"
)

// Deps is what the service needs.
type Deps struct {
	DB          *db.DB
	Audit       *audit.Log
	Definitions *definition.Service
	Runs        *runs.Service
	Dispatch    *dispatch.Service
}

// Service shows runs. It is safe for concurrent use.
type Service struct {
	Deps
	views views
}

// New makes the service over a migrated database.
func New(d Deps) *Service { return &Service{Deps: d} }
