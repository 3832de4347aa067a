-- +goose Up
CREATE TABLE message_wait (
    subscription INTEGER NOT NULL PRIMARY KEY,
    run          INTEGER NOT NULL,
    element      INTEGER NOT NULL,
    node         TEXT NOT NULL,
    project      VARCHAR(64) NOT NULL,
    process      TEXT NOT NULL,
    is_signal    INTEGER NOT NULL,
    name         VARCHAR(190) NOT NULL,
    correlation  VARCHAR(190) NOT NULL,
    since        INTEGER NOT NULL
);
CREATE INDEX message_wait_name ON message_wait (project, is_signal, name, correlation, subscription);
CREATE INDEX message_wait_run ON message_wait (run, subscription);

CREATE TABLE message_fresh (
    subscription INTEGER NOT NULL PRIMARY KEY
);

CREATE TABLE message_start (
    project   VARCHAR(64) NOT NULL,
    process   VARCHAR(190) NOT NULL,
    is_signal INTEGER NOT NULL,
    name      VARCHAR(190) NOT NULL,
    event     TEXT NOT NULL,
    PRIMARY KEY (project, process, is_signal, name)
);
CREATE INDEX message_start_name ON message_start (project, is_signal, name);

CREATE TABLE message_post (
    message     VARCHAR(190) NOT NULL PRIMARY KEY,
    project     VARCHAR(64) NOT NULL,
    is_signal   INTEGER NOT NULL,
    name        VARCHAR(190) NOT NULL,
    correlation VARCHAR(190) NOT NULL,
    id          VARCHAR(190) NOT NULL,
    variables   TEXT NOT NULL,
    rights      TEXT NOT NULL,
    chain       INTEGER NOT NULL DEFAULT 0,
    subject     VARCHAR(190) NOT NULL DEFAULT '',
    created     INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    told        INTEGER NOT NULL
);
CREATE UNIQUE INDEX message_post_id ON message_post (project, is_signal, name, correlation, id);
CREATE INDEX message_post_expires ON message_post (expires);
CREATE INDEX message_post_project ON message_post (project, is_signal, subject, expires);
CREATE INDEX message_post_told ON message_post (told, message);

CREATE TABLE message_target (
    message      VARCHAR(190) NOT NULL,
    subscription INTEGER NOT NULL,
    process      VARCHAR(190) NOT NULL,
    run          INTEGER NOT NULL,
    element      INTEGER NOT NULL,
    event        TEXT NOT NULL,
    PRIMARY KEY (message, subscription, process)
);

CREATE TABLE message_taken (
    message VARCHAR(190) NOT NULL,
    process VARCHAR(190) NOT NULL,
    run     INTEGER NOT NULL,
    PRIMARY KEY (message, process)
);

CREATE TABLE message_begun (
    project     VARCHAR(64) NOT NULL,
    process     VARCHAR(190) NOT NULL,
    correlation VARCHAR(190) NOT NULL,
    run         INTEGER NOT NULL,
    PRIMARY KEY (project, process, correlation)
);
CREATE INDEX message_begun_run ON message_begun (run);

CREATE TABLE message_chain (
    run   INTEGER NOT NULL PRIMARY KEY,
    chain INTEGER NOT NULL
);
