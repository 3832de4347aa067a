-- +goose Up
CREATE TABLE setting_connection (
    project     VARCHAR(64) NOT NULL,
    name        VARCHAR(190) NOT NULL,
    environment TEXT NOT NULL,
    type        TEXT NOT NULL,
    fields      BLOB NOT NULL,
    secrets     BLOB NOT NULL,
    version     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    targets     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (project, name)
);

CREATE TABLE setting_value (
    project VARCHAR(64) NOT NULL,
    name    VARCHAR(190) NOT NULL,
    value   TEXT NOT NULL,
    updated INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (project, name)
);
