-- +goose Up
CREATE TABLE object_row (
    type    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL,
    data    BLOB    NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (type, id)
) WITHOUT ROWID;

CREATE TABLE object_value (
    type  TEXT NOT NULL,
    attr  TEXT NOT NULL,
    value TEXT NOT NULL,
    id    TEXT NOT NULL,
    PRIMARY KEY (type, attr, value, id)
) WITHOUT ROWID;
CREATE INDEX object_value_id ON object_value (type, id);

CREATE TABLE object_unique (
    type  TEXT NOT NULL,
    attr  TEXT NOT NULL,
    value TEXT NOT NULL,
    id    TEXT NOT NULL,
    PRIMARY KEY (type, attr, value)
) WITHOUT ROWID;

CREATE TABLE object_history (
    type     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    operator TEXT    NOT NULL,
    run      TEXT    NOT NULL,
    op       TEXT    NOT NULL,
    diff     BLOB    NOT NULL,
    PRIMARY KEY (type, id, version)
) WITHOUT ROWID;
