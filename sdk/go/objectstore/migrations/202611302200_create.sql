-- +goose Up
CREATE TABLE object_row (
    type    VARCHAR(128) NOT NULL,
    id      VARCHAR(190) NOT NULL,
    version INTEGER NOT NULL,
    data    BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (type, id)
) WITHOUT ROWID;

CREATE TABLE object_value (
    type  VARCHAR(128) NOT NULL,
    attr  VARCHAR(128) NOT NULL,
    value VARCHAR(190) NOT NULL,
    id    VARCHAR(190) NOT NULL,
    PRIMARY KEY (type, attr, value, id)
) WITHOUT ROWID;
CREATE INDEX object_value_id ON object_value (type, id);

CREATE TABLE object_unique (
    type  VARCHAR(128) NOT NULL,
    attr  VARCHAR(128) NOT NULL,
    value VARCHAR(190) NOT NULL,
    id    TEXT NOT NULL,
    PRIMARY KEY (type, attr, value)
) WITHOUT ROWID;

CREATE TABLE object_history (
    seq         INTEGER NOT NULL PRIMARY KEY,
    type        VARCHAR(128) NOT NULL,
    id          VARCHAR(190) NOT NULL,
    version     INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    operator    TEXT NOT NULL,
    run         TEXT NOT NULL,
    op          TEXT NOT NULL,
    project     TEXT NOT NULL,
    diff        BLOB NOT NULL,
    origin      INTEGER NOT NULL DEFAULT 0,
    environment TEXT NOT NULL DEFAULT '?'
);
CREATE UNIQUE INDEX object_history_version ON object_history (type, id, version);

CREATE TABLE object_ref (
    target    VARCHAR(128) NOT NULL,
    target_id VARCHAR(190) NOT NULL,
    type      VARCHAR(128) NOT NULL,
    attr      VARCHAR(128) NOT NULL,
    id        VARCHAR(190) NOT NULL,
    PRIMARY KEY (target, target_id, type, attr, id)
) WITHOUT ROWID;
CREATE INDEX object_ref_id ON object_ref (type, id);

CREATE TABLE object_origin (
    id   INTEGER NOT NULL PRIMARY KEY,
    note TEXT NOT NULL
);

CREATE TABLE object_step (
    name VARCHAR(190) NOT NULL PRIMARY KEY
);
