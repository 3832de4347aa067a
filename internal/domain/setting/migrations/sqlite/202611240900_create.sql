-- +goose Up
CREATE TABLE setting_connection (
    project TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    environment TEXT NOT NULL,
    type    TEXT    NOT NULL,
    fields  BLOB    NOT NULL,
    secrets BLOB    NOT NULL,
    version INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (project, name)
);
CREATE TABLE setting_value (
    project TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (project, name)
);
