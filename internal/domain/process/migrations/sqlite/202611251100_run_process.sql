-- +goose Up
CREATE INDEX process_run_process ON process_run (project, process, started, run);
CREATE INDEX process_run_subject ON process_run (project, subject, started, run);

-- +goose Down
DROP INDEX process_run_subject;
DROP INDEX process_run_process;
