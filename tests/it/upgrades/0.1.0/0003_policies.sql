-- How a schedule is delivered; NULL means the default. Durations are seconds.
ALTER TABLE schedules ADD COLUMN catch_up TEXT;
ALTER TABLE schedules ADD COLUMN grace BIGINT;
ALTER TABLE schedules ADD COLUMN pause_on_failure BIGINT;
ALTER TABLE schedules ADD COLUMN envelope TEXT;
ALTER TABLE schedules ADD COLUMN max_age BIGINT;
-- How many prompts were given up since one was delivered.
ALTER TABLE schedules ADD COLUMN dead_in_row BIGINT NOT NULL DEFAULT 0;

-- What the line before the prompt tells, frozen with the first claim: the number of the firing,
-- and the unsent firings it stands for.
ALTER TABLE occurrences ADD COLUMN firing BIGINT;
ALTER TABLE occurrences ADD COLUMN stands_for BIGINT NOT NULL DEFAULT 1;
ALTER TABLE occurrences ADD COLUMN stands_since DATETIME;

-- At most one row: since when, and why, nothing at all is sent.
CREATE TABLE halt (
    only_row INTEGER  NOT NULL PRIMARY KEY CHECK (only_row = 1),
    since    DATETIME NOT NULL,
    note     TEXT
);
