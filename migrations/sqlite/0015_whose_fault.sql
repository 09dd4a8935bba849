-- Since when the fate of a prompt is unknown: its turn was listened to until then.
ALTER TABLE occurrences ADD COLUMN doubted_at DATETIME;

-- 1: the server says that it is well, but prompts of several agents were refused alike.
ALTER TABLE held_targets ADD COLUMN by_lanes INTEGER NOT NULL DEFAULT 0;
