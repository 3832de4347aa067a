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
    places  TEXT NOT NULL DEFAULT ''
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
