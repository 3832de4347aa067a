-- +goose Up
-- What else the door decided than its word, as JSON; verdicts from before have none.
ALTER TABLE control_verdict ADD COLUMN ruling TEXT NOT NULL DEFAULT '';

-- Requests that wait, and those of runs with which later ones may be merged or that
-- they may replace. Alike are those of a process on the same objects, same those with
-- the same variables too.
CREATE TABLE control_request (
    run     INTEGER NOT NULL PRIMARY KEY,
    project VARCHAR(64) NOT NULL,
    process VARCHAR(190) NOT NULL,
    state   VARCHAR(16) NOT NULL,
    alike   VARCHAR(64) NOT NULL,
    same    VARCHAR(64) NOT NULL,
    place   INTEGER NOT NULL,
    since   INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    asked   BLOB NOT NULL
);
CREATE INDEX control_request_process ON control_request (project, process, state, place);
CREATE INDEX control_request_alike ON control_request (project, alike);
CREATE INDEX control_request_expires ON control_request (state, expires);
CREATE INDEX control_request_place ON control_request (state, place);

-- What those that wait want to hold.
CREATE TABLE control_line (
    object  VARCHAR(330) NOT NULL,
    run     INTEGER NOT NULL,
    project TEXT NOT NULL,
    subject TEXT NOT NULL,
    mode    TEXT NOT NULL,
    since   INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    PRIMARY KEY (object, run)
);
CREATE INDEX control_line_place ON control_line (object, place);
CREATE INDEX control_line_run ON control_line (run);
