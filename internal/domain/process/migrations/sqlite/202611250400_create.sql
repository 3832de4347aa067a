-- +goose Up
CREATE TABLE process_definition (
    definition INTEGER NOT NULL PRIMARY KEY,
    project    TEXT    NOT NULL,
    process    TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    created    INTEGER NOT NULL
);
CREATE UNIQUE INDEX process_definition_version ON process_definition (project, process, version);

CREATE TABLE process_run (
    run        INTEGER NOT NULL PRIMARY KEY,
    project    TEXT    NOT NULL,
    definition INTEGER NOT NULL,
    process    TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    verdict    TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    incidents  INTEGER NOT NULL,
    objects    TEXT    NOT NULL,
    started    INTEGER NOT NULL,
    ended      INTEGER NOT NULL
);
CREATE INDEX process_run_project ON process_run (project, started, run);
CREATE INDEX process_run_state ON process_run (project, state, started, run);

CREATE TABLE process_run_object (
    project TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    run     INTEGER NOT NULL,
    PRIMARY KEY (project, object, run)
);

CREATE TABLE process_incident (
    incident INTEGER NOT NULL PRIMARY KEY,
    run      INTEGER NOT NULL,
    project  TEXT    NOT NULL,
    element  INTEGER NOT NULL,
    node     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    message  TEXT    NOT NULL,
    since    INTEGER NOT NULL
);
CREATE INDEX process_incident_project ON process_incident (project, incident);
CREATE INDEX process_incident_run ON process_incident (run);
