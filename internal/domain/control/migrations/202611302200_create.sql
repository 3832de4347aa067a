-- +goose Up
CREATE TABLE control_verdict (
    id      VARCHAR(190) NOT NULL PRIMARY KEY,
    run     INTEGER NOT NULL,
    project VARCHAR(64) NOT NULL,
    time    INTEGER NOT NULL,
    subject TEXT NOT NULL,
    process TEXT NOT NULL,
    verdict TEXT NOT NULL,
    code    TEXT NOT NULL,
    reason  TEXT NOT NULL,
    detail  BLOB NOT NULL,
    mandate TEXT NOT NULL DEFAULT '',
    places  TEXT NOT NULL DEFAULT '',
    ruling  TEXT NOT NULL DEFAULT ''
);
CREATE INDEX control_verdict_run ON control_verdict (run);
CREATE INDEX control_verdict_project ON control_verdict (project, id);

CREATE TABLE control_fence (
    id    INTEGER NOT NULL PRIMARY KEY,
    fence INTEGER NOT NULL
);

CREATE TABLE control_stop (
    id      INTEGER NOT NULL PRIMARY KEY,
    active  INTEGER NOT NULL,
    reason  TEXT NOT NULL,
    subject TEXT NOT NULL,
    since   INTEGER NOT NULL
);

CREATE TABLE control_claim (
    object  VARCHAR(330) NOT NULL,
    run     INTEGER NOT NULL,
    project TEXT NOT NULL,
    subject TEXT NOT NULL,
    mode    TEXT NOT NULL,
    fence   INTEGER NOT NULL,
    since   INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (object, run)
);
CREATE INDEX control_claim_run ON control_claim (run);

CREATE TABLE control_wait (
    object  VARCHAR(330) NOT NULL,
    ticket  INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    job     INTEGER NOT NULL,
    project TEXT NOT NULL,
    subject TEXT NOT NULL,
    mode    TEXT NOT NULL,
    since   INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (object, ticket)
);
CREATE INDEX control_wait_ticket ON control_wait (ticket);
CREATE INDEX control_wait_run ON control_wait (run, job);

-- Requests that wait, and those of runs with which later ones may be merged or that
-- they may replace. Alike are those of a process on the same objects, same those with
-- the same variables too.
CREATE TABLE control_request (
    run        INTEGER NOT NULL PRIMARY KEY,
    project    VARCHAR(64)    NOT NULL,
    process    VARCHAR(190)    NOT NULL,
    state      VARCHAR(32)    NOT NULL,
    alike      VARCHAR(190)    NOT NULL,
    same       VARCHAR(190)    NOT NULL,
    place      INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    asked      BLOB    NOT NULL
);
CREATE INDEX control_request_process ON control_request (project, process, state, place);
CREATE INDEX control_request_alike ON control_request (project, alike);
CREATE INDEX control_request_expires ON control_request (state, expires);
CREATE INDEX control_request_place ON control_request (state, place);

-- What those that wait want to hold.
CREATE TABLE control_line (
    object  VARCHAR(330)    NOT NULL,
    run     INTEGER NOT NULL,
    project VARCHAR(64)    NOT NULL,
    subject TEXT    NOT NULL,
    mode    TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    PRIMARY KEY (object, run)
);
CREATE INDEX control_line_place ON control_line (object, place);
CREATE INDEX control_line_run ON control_line (run);
