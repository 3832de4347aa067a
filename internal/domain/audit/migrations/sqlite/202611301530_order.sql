-- +goose Up
ALTER TABLE audit_record ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
UPDATE audit_record SET seq = rowid;
CREATE INDEX audit_record_order ON audit_record (project, seq);
CREATE INDEX audit_record_of ON audit_record (project, object, seq);
CREATE INDEX audit_record_by ON audit_record (project, name, seq);
CREATE INDEX audit_record_outcome ON audit_record (project, outcome, seq);
CREATE INDEX audit_record_last ON audit_record (seq);
DROP INDEX audit_record_object;
DROP INDEX audit_record_name;
DROP INDEX audit_record_refused;
