-- +goose Up
CREATE TABLE engine_record (
    run  INTEGER NOT NULL,
    rec  INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, rec)
) WITHOUT ROWID;

CREATE TABLE engine_history (
    run  INTEGER NOT NULL,
    seq  INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE engine_key (
    shard INTEGER NOT NULL PRIMARY KEY,
    next  INTEGER NOT NULL
);

CREATE TABLE engine_held (
    run      INTEGER NOT NULL PRIMARY KEY,
    kind     TEXT NOT NULL,
    message  TEXT NOT NULL,
    incident INTEGER NOT NULL,
    since    INTEGER NOT NULL
);
