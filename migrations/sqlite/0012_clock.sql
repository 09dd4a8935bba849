-- The newest readings of this machine's clocks: one at which the wall clock was trusted, and one at
-- which it was in doubt. What the boot clock says since tells whether the wall clock was set.
CREATE TABLE clock_readings (
    trusted INTEGER  NOT NULL PRIMARY KEY CHECK (trusted IN (0, 1)),
    at      DATETIME NOT NULL,
    -- Which run of the machine the uptime belongs to, where the system tells.
    boot    TEXT,
    -- How long the machine had been running, in microseconds.
    uptime  BIGINT   NOT NULL
);

-- The newest time that a revision tells is asked for at every start.
CREATE INDEX ix_schedule_revisions_from_at ON schedule_revisions (from_at);
