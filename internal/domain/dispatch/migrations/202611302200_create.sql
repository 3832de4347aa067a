-- +goose Up
CREATE TABLE dispatch_job (
    job     INTEGER NOT NULL PRIMARY KEY,
    run     INTEGER NOT NULL,
    node    TEXT NOT NULL,
    project TEXT NOT NULL,
    plugin  TEXT NOT NULL,
    service TEXT NOT NULL,
    version TEXT NOT NULL,
    round   INTEGER NOT NULL,
    tries   INTEGER NOT NULL,
    state   TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    given   TEXT NOT NULL DEFAULT ''
);
CREATE INDEX dispatch_job_run ON dispatch_job (run, job);

CREATE TABLE dispatch_chunk (
    job      INTEGER NOT NULL,
    round    INTEGER NOT NULL,
    chunk    INTEGER NOT NULL,
    sent     INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    digest   TEXT NOT NULL,
    body     BLOB NOT NULL,
    claims   TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (job, round, chunk)
);

CREATE TABLE dispatch_row (
    job     INTEGER NOT NULL,
    pos     INTEGER NOT NULL,
    object  VARCHAR(330) NOT NULL,
    round   INTEGER NOT NULL,
    chunk   INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    code    TEXT NOT NULL,
    message TEXT NOT NULL,
    retry   TEXT NOT NULL,
    outputs BLOB NOT NULL,
    PRIMARY KEY (job, object)
);

CREATE TABLE dispatch_gift (
    run    INTEGER NOT NULL,
    place  INTEGER NOT NULL,
    kind   VARCHAR(32) NOT NULL,
    name   VARCHAR(190) NOT NULL,
    giver  VARCHAR(190) NOT NULL,
    node   TEXT NOT NULL,
    label  TEXT NOT NULL,
    rights TEXT NOT NULL,
    PRIMARY KEY (run, place, kind, name, giver)
);
