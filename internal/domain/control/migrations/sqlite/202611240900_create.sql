-- +goose Up
CREATE TABLE control_verdict (
    id      TEXT    NOT NULL PRIMARY KEY,
    run     INTEGER NOT NULL,
    project TEXT    NOT NULL,
    time    INTEGER NOT NULL,
    subject TEXT    NOT NULL,
    process TEXT    NOT NULL,
    verdict TEXT    NOT NULL,
    code    TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    detail  BLOB    NOT NULL
);
CREATE INDEX control_verdict_run ON control_verdict (run);
CREATE INDEX control_verdict_project ON control_verdict (project, id);

CREATE TABLE control_lock (
    object  TEXT    NOT NULL PRIMARY KEY,
    project TEXT    NOT NULL,
    run     INTEGER NOT NULL,
    subject TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX control_lock_run ON control_lock (run);

CREATE TABLE control_fence (
    object TEXT    NOT NULL PRIMARY KEY,
    fence  INTEGER NOT NULL
);

CREATE TABLE control_stop (
    id      INTEGER NOT NULL PRIMARY KEY,
    active  INTEGER NOT NULL,
    reason  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    since   INTEGER NOT NULL
);
