-- +goose Up
CREATE TABLE worklist_task (
    task     INTEGER NOT NULL PRIMARY KEY,
    run      INTEGER NOT NULL,
    project  VARCHAR(64) NOT NULL,
    node     TEXT NOT NULL,
    name     TEXT NOT NULL,
    assignee TEXT NOT NULL,
    people   TEXT NOT NULL,
    form     TEXT NOT NULL,
    created  INTEGER NOT NULL
);
CREATE INDEX worklist_task_run ON worklist_task (run);
CREATE INDEX worklist_task_project ON worklist_task (project, created, task);
