-- +goose Up
-- Incidents that are over: who asks for one is told of the newer one of its step.
CREATE TABLE process_incident_past (
    incident INTEGER NOT NULL PRIMARY KEY,
    run      INTEGER NOT NULL,
    node     TEXT    NOT NULL
);

-- +goose Down
DROP TABLE process_incident_past;
