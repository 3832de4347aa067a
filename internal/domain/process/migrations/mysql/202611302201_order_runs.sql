-- +goose Up
-- Places may be longer than an index takes.
CREATE INDEX process_run_places ON process_run (project, started, run);
CREATE INDEX process_run_counted ON process_run (project, started, state);
