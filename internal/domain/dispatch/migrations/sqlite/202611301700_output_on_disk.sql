-- +goose Up
DROP TABLE dispatch_log;
