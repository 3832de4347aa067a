-- +goose Up
CREATE TABLE api_idempotency (
    principal VARCHAR(190) NOT NULL,
    route     VARCHAR(330) NOT NULL,
    command   VARCHAR(190) NOT NULL,
    digest    BLOB NOT NULL,
    status    INTEGER NOT NULL,
    media     TEXT NOT NULL,
    body      BLOB NOT NULL,
    created   INTEGER NOT NULL,
    rights    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (principal, route, command)
);
CREATE INDEX api_idempotency_created ON api_idempotency (created);
