-- +goose Up
-- Tasks are listed by time: keys are in no order of it.
DROP INDEX worklist_task_project;
CREATE INDEX worklist_task_project ON worklist_task (project, created, task);

-- +goose Down
DROP INDEX worklist_task_project;
CREATE INDEX worklist_task_project ON worklist_task (project, task);
