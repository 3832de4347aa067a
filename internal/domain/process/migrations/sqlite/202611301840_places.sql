-- +goose Up
-- Environments of what a run was started on and acts on, as identity.Places writes
-- them; those of older runs are looked up after the start.
ALTER TABLE process_run ADD COLUMN places TEXT NOT NULL DEFAULT '';
UPDATE process_run SET places = '
?
' WHERE objects <> '';
CREATE INDEX process_run_places ON process_run (project, started, run, places);
CREATE INDEX process_run_counted ON process_run (project, started, state, places);
DROP INDEX process_run_project;
DROP INDEX process_run_count;

-- +goose Down
CREATE INDEX process_run_count ON process_run (project, started, state);
CREATE INDEX process_run_project ON process_run (project, started, run);
DROP INDEX process_run_counted;
DROP INDEX process_run_places;
ALTER TABLE process_run DROP COLUMN places;
