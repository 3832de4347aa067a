-- +goose Up
ALTER TABLE process_run ADD COLUMN final TEXT NOT NULL DEFAULT '';
