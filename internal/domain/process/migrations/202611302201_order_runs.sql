-- +goose Up
-- With the places beside them, so that lists and counts read the index alone.
CREATE INDEX process_run_places ON process_run (project, started, run, places);
CREATE INDEX process_run_counted ON process_run (project, started, state, places);
