-- +goose Up
ALTER TABLE audit_record ADD COLUMN environment TEXT NOT NULL DEFAULT '';
