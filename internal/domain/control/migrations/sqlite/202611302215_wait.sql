-- +goose Up
-- What else the door decided than its word, as JSON; verdicts from before have none.
ALTER TABLE control_verdict ADD COLUMN ruling TEXT NOT NULL DEFAULT '';

-- Requests that wait, and those of runs with which later ones may be merged or that
-- they may replace. Alike are those of a process on the same objects, same those with
-- the same variables too.
CREATE TABLE control_request (
    run        INTEGER NOT NULL PRIMARY KEY,
    project    TEXT    NOT NULL,
    process    TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    alike      TEXT    NOT NULL,
    same       TEXT    NOT NULL,
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
    object  TEXT    NOT NULL,
    run     INTEGER NOT NULL,
    project TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    mode    TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    PRIMARY KEY (object, run)
);
CREATE INDEX control_line_place ON control_line (object, place);
CREATE INDEX control_line_run ON control_line (run);

-- +goose Down
DROP TABLE control_line;
DROP TABLE control_request;
ALTER TABLE control_verdict DROP COLUMN ruling;
