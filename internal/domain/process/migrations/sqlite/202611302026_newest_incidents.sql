-- +goose Up
-- Incidents are listed by time: keys are in no order of it.
DROP INDEX process_incident_project;
CREATE INDEX process_incident_project ON process_incident (project, since, incident);

-- +goose Down
DROP INDEX process_incident_project;
CREATE INDEX process_incident_project ON process_incident (project, incident);
