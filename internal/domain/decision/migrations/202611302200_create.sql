-- +goose Up
CREATE TABLE decision_definition (
    project  VARCHAR(64) NOT NULL,
    decision VARCHAR(190) NOT NULL,
    version  INTEGER NOT NULL,
    name     TEXT NOT NULL,
    model    TEXT NOT NULL,
    digest   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    created  INTEGER NOT NULL,
    PRIMARY KEY (project, decision, version)
);

CREATE TABLE decision_made (
    job      INTEGER NOT NULL PRIMARY KEY,
    run      INTEGER NOT NULL,
    node     TEXT NOT NULL,
    project  TEXT NOT NULL,
    decision TEXT NOT NULL,
    version  INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    value    TEXT NOT NULL,
    trace    TEXT NOT NULL,
    warnings TEXT NOT NULL
);
CREATE INDEX decision_made_run ON decision_made (run, job);
