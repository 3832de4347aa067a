-- +goose Up
-- Of tasks from before nobody knows which of the people are groups: they are taken for
-- both.
ALTER TABLE worklist_task ADD COLUMN asked_groups TEXT NOT NULL DEFAULT '';
ALTER TABLE worklist_task ADD COLUMN asked_users TEXT NOT NULL DEFAULT '';
ALTER TABLE worklist_task ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worklist_task ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worklist_task ADD COLUMN verdict TEXT NOT NULL DEFAULT '';
UPDATE worklist_task SET asked_groups = people, asked_users = people;
