-- +goose Up
CREATE TABLE audit_record (
    id      TEXT    NOT NULL PRIMARY KEY,
    time    INTEGER NOT NULL,
    project TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    verb    TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    request TEXT    NOT NULL,
    detail  BLOB    NOT NULL
);
CREATE INDEX audit_record_object ON audit_record (project, object, id);
