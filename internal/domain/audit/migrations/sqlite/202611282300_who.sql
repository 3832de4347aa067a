-- +goose Up
ALTER TABLE audit_record ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_record ADD COLUMN changes BLOB NOT NULL DEFAULT '';
CREATE INDEX audit_record_name ON audit_record (project, name, id);
CREATE INDEX audit_record_refused ON audit_record (project, id) WHERE outcome = 'refused';
