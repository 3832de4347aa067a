-- +goose Up
CREATE TABLE identity_user (
    id       VARCHAR(190) NOT NULL PRIMARY KEY,
    name     VARCHAR(190) NOT NULL,
    password TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    display  TEXT NOT NULL DEFAULT '',
    version  INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX identity_user_name ON identity_user (name);

CREATE TABLE identity_token (
    id      VARCHAR(190) NOT NULL PRIMARY KEY,
    user_id VARCHAR(64) NOT NULL,
    name    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    hash    VARBINARY(64) NOT NULL,
    scope   TEXT NOT NULL,
    expires INTEGER NOT NULL,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL DEFAULT 0,
    proved  INTEGER NOT NULL DEFAULT 0,
    origin  TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX identity_token_hash ON identity_token (hash);
CREATE INDEX identity_token_user ON identity_token (user_id, id);

CREATE TABLE identity_role (
    name        VARCHAR(64) NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    permissions TEXT NOT NULL,
    version     INTEGER NOT NULL
);

CREATE TABLE identity_member (
    user_id     VARCHAR(64) NOT NULL,
    role        VARCHAR(64) NOT NULL,
    project     VARCHAR(64) NOT NULL,
    environment VARCHAR(64) NOT NULL,
    PRIMARY KEY (user_id, role, project, environment)
);
CREATE INDEX identity_member_role ON identity_member (role);

CREATE TABLE identity_right (
    user_id     VARCHAR(64) NOT NULL,
    permission  VARCHAR(64) NOT NULL,
    project     VARCHAR(64) NOT NULL,
    environment VARCHAR(64) NOT NULL,
    PRIMARY KEY (user_id, permission, project, environment)
);

CREATE TABLE identity_try (
    what  VARBINARY(64) NOT NULL PRIMARY KEY,
    n     INTEGER NOT NULL,
    since INTEGER NOT NULL,
    last  INTEGER NOT NULL
);
CREATE INDEX identity_try_last ON identity_try (last);
