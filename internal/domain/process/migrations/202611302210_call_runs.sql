-- +goose Up
-- Runs that another run has called: the run and the step that did, and the run above
-- them all; for whom they act, with which rights and on what.
CREATE TABLE process_call (
    run     INTEGER NOT NULL PRIMARY KEY,
    project VARCHAR(64) NOT NULL,
    parent  INTEGER NOT NULL,
    root    INTEGER NOT NULL,
    node    TEXT NOT NULL,
    mandate TEXT NOT NULL
);
CREATE INDEX process_call_parent ON process_call (parent, run);
CREATE INDEX process_call_root ON process_call (root);
CREATE INDEX process_call_project ON process_call (project, parent, run);
ALTER TABLE process_definition ADD COLUMN tag VARCHAR(190) NOT NULL DEFAULT '';
CREATE INDEX process_definition_tag ON process_definition (project, process, tag, version);
