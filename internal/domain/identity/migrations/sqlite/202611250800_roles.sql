-- +goose Up
CREATE TABLE identity_role (
    name        TEXT    NOT NULL PRIMARY KEY,
    description TEXT    NOT NULL,
    permissions TEXT    NOT NULL,
    version     INTEGER NOT NULL
);
CREATE TABLE identity_member (
    user_id     TEXT NOT NULL,
    role        TEXT NOT NULL,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    PRIMARY KEY (user_id, role, project, environment)
);
CREATE INDEX identity_member_role ON identity_member (role);
CREATE TABLE identity_right (
    user_id     TEXT NOT NULL,
    permission  TEXT NOT NULL,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    PRIMARY KEY (user_id, permission, project, environment)
);
INSERT INTO identity_right (user_id, permission, project, environment)
SELECT user_id, permission, project, '*' FROM identity_grant;
DROP TABLE identity_grant;
ALTER TABLE identity_user ADD COLUMN display TEXT NOT NULL DEFAULT '';
ALTER TABLE identity_user ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE identity_token ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identity_token ADD COLUMN proved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identity_token ADD COLUMN origin TEXT NOT NULL DEFAULT '';
