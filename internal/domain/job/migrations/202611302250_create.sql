-- +goose Up
-- Jobs that workers pull by type. A job is free from a time on: at once, after a pause,
-- when its lease has run out, or never while its run waits for help.
CREATE TABLE job_open (
    job     INTEGER NOT NULL PRIMARY KEY,
    project VARCHAR(64) NOT NULL,
    type    VARCHAR(190) NOT NULL,
    run     INTEGER NOT NULL,
    element INTEGER NOT NULL,
    process VARCHAR(190) NOT NULL,
    node    TEXT    NOT NULL,
    retries INTEGER NOT NULL,
    free    INTEGER NOT NULL,
    worker  TEXT    NOT NULL,
    lease   INTEGER NOT NULL
);
CREATE INDEX job_open_type ON job_open (project, type, free, job);
CREATE INDEX job_open_project ON job_open (project, job);
CREATE INDEX job_open_run ON job_open (run);
