-- +goose Up
CREATE INDEX process_run_count ON process_run (project, started, state);

-- +goose Down
DROP INDEX process_run_count;
