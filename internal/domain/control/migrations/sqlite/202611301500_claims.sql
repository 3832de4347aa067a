-- +goose Up
DROP TABLE control_lock;
DROP TABLE control_fence;

CREATE TABLE control_claim (
    object  TEXT    NOT NULL,
    run     INTEGER NOT NULL,
    project TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    mode    TEXT    NOT NULL,
    fence   INTEGER NOT NULL,
    since   INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (object, run)
);
CREATE INDEX control_claim_run ON control_claim (run);

CREATE TABLE control_wait (
    object  TEXT    NOT NULL,
    ticket  INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    job     INTEGER NOT NULL,
    project TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    mode    TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (object, ticket)
);
CREATE INDEX control_wait_ticket ON control_wait (ticket);
CREATE INDEX control_wait_run ON control_wait (run, job);

CREATE TABLE control_fence (
    id    INTEGER NOT NULL PRIMARY KEY,
    fence INTEGER NOT NULL
);
