-- +goose Up
ALTER TABLE control_verdict ADD COLUMN mandate TEXT NOT NULL DEFAULT '';
