-- +goose Up
CREATE INDEX process_run_ended ON process_run (ended, run);
CREATE INDEX process_incident_past_run ON process_incident_past (run);
