-- +goose Up
CREATE TABLE audit_record (
    id          VARCHAR(190) NOT NULL PRIMARY KEY,
    time        INTEGER NOT NULL,
    project     VARCHAR(64) NOT NULL,
    subject     TEXT NOT NULL,
    verb        TEXT NOT NULL,
    object      VARCHAR(330) NOT NULL,
    outcome     VARCHAR(32) NOT NULL,
    request     TEXT NOT NULL,
    detail      BLOB NOT NULL,
    name        VARCHAR(190) NOT NULL DEFAULT '',
    changes     BLOB NOT NULL DEFAULT '',
    environment TEXT NOT NULL DEFAULT '',
    seq         INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX audit_record_order ON audit_record (project, seq);
CREATE INDEX audit_record_of ON audit_record (project, object, seq);
CREATE INDEX audit_record_by ON audit_record (project, name, seq);
CREATE INDEX audit_record_outcome ON audit_record (project, outcome, seq);
CREATE INDEX audit_record_last ON audit_record (seq);
