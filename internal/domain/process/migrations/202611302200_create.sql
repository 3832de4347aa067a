-- +goose Up
CREATE TABLE process_definition (
    definition INTEGER NOT NULL PRIMARY KEY,
    project    VARCHAR(64) NOT NULL,
    process    VARCHAR(190) NOT NULL,
    version    INTEGER NOT NULL,
    name       TEXT NOT NULL,
    digest     VARCHAR(64) NOT NULL,
    subject    TEXT NOT NULL,
    created    INTEGER NOT NULL,
    compiler   INTEGER NOT NULL DEFAULT 0,
    tag        VARCHAR(190) NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX process_definition_version ON process_definition (project, process, version);
CREATE INDEX process_definition_tag ON process_definition (project, process, tag, version);
CREATE INDEX process_definition_file ON process_definition (project, process, digest, version);

CREATE TABLE process_run (
    run        INTEGER NOT NULL PRIMARY KEY,
    project    VARCHAR(64) NOT NULL,
    definition INTEGER NOT NULL,
    process    VARCHAR(190) NOT NULL,
    title      TEXT NOT NULL,
    subject    VARCHAR(190) NOT NULL,
    verdict    TEXT NOT NULL,
    state      VARCHAR(32) NOT NULL,
    code       TEXT NOT NULL,
    incidents  INTEGER NOT NULL,
    objects    TEXT NOT NULL,
    started    INTEGER NOT NULL,
    ended      INTEGER NOT NULL,
    final      TEXT NOT NULL DEFAULT '',
    places     TEXT NOT NULL DEFAULT ''
);
CREATE INDEX process_run_state ON process_run (project, state, started, run);
CREATE INDEX process_run_process ON process_run (project, process, started, run);
CREATE INDEX process_run_subject ON process_run (project, subject, started, run);
CREATE INDEX process_run_ended ON process_run (ended, run);

CREATE TABLE process_run_object (
    project VARCHAR(64) NOT NULL,
    object  VARCHAR(330) NOT NULL,
    run     INTEGER NOT NULL,
    PRIMARY KEY (project, object, run)
);

CREATE TABLE process_incident (
    incident INTEGER NOT NULL PRIMARY KEY,
    run      INTEGER NOT NULL,
    project  VARCHAR(64) NOT NULL,
    element  INTEGER NOT NULL,
    node     TEXT NOT NULL,
    name     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    message  TEXT NOT NULL,
    since    INTEGER NOT NULL
);
CREATE INDEX process_incident_run ON process_incident (run);
CREATE INDEX process_incident_project ON process_incident (project, since, incident);

CREATE TABLE process_incident_past (
    incident INTEGER NOT NULL PRIMARY KEY,
    run      INTEGER NOT NULL,
    node     TEXT NOT NULL
);
CREATE INDEX process_incident_past_run ON process_incident_past (run);

CREATE TABLE process_element (
    definition INTEGER NOT NULL,
    flow       INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    id         TEXT NOT NULL,
    PRIMARY KEY (definition, flow, number)
) WITHOUT ROWID;

-- Runs that another run has called: the run and the step that did, and the run above
-- them all; for whom they act, with which rights and on what.
CREATE TABLE process_call (
    run     INTEGER NOT NULL PRIMARY KEY,
    project VARCHAR(64) NOT NULL,
    parent  INTEGER NOT NULL,
    root    INTEGER NOT NULL,
    node    TEXT NOT NULL,
    mandate TEXT NOT NULL
);
CREATE INDEX process_call_parent ON process_call (parent, run);
CREATE INDEX process_call_root ON process_call (root);
CREATE INDEX process_call_project ON process_call (project, parent, run);
