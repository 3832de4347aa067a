-- +goose Up
ALTER TABLE worklist_task ADD COLUMN follow_up INTEGER NOT NULL DEFAULT 0;
