-- +goose Up
CREATE TABLE identity_user (
    id       TEXT    NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    password TEXT    NOT NULL,
    disabled INTEGER NOT NULL,
    created  INTEGER NOT NULL
);
CREATE UNIQUE INDEX identity_user_name ON identity_user (name);
CREATE TABLE identity_grant (
    user_id    TEXT NOT NULL,
    permission TEXT NOT NULL,
    project    TEXT NOT NULL,
    PRIMARY KEY (user_id, permission, project)
);
CREATE TABLE identity_token (
    id      TEXT    NOT NULL PRIMARY KEY,
    user_id TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    hash    BLOB    NOT NULL,
    scope   TEXT    NOT NULL,
    expires INTEGER NOT NULL,
    created INTEGER NOT NULL
);
CREATE UNIQUE INDEX identity_token_hash ON identity_token (hash);
CREATE INDEX identity_token_user ON identity_token (user_id, id);
