-- Brings the tables of version 0.1.0 to exactly those of the baseline, with every row kept.
--
-- A table that loses a column is copied, not altered: so nothing that another program has put into
-- the file, as a view of something that is gone, stands in the way.
CREATE TABLE migrations (
    version    BIGINT   NOT NULL PRIMARY KEY,
    name       TEXT     NOT NULL,
    applied_at DATETIME NOT NULL,
    checksum   TEXT     NOT NULL
);
DELETE FROM _sqlx_migrations;
INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
VALUES (19, 'noted in the table migrations', 1, x'', 0);

-- Which occurrences were made before revisions told of instants: under version 0.1.0 none were.
CREATE TEMP TABLE older_install AS SELECT only_row, install_id FROM main.install;
DROP TABLE main.install;
CREATE TABLE install (
    only_row   INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    install_id TEXT    NOT NULL
);
INSERT INTO install (only_row, install_id) SELECT only_row, install_id FROM older_install;
DROP TABLE older_install;
CREATE TEMP TABLE older_sums AS SELECT * FROM main.pruned_sums;
DROP TABLE main.pruned_sums;
CREATE TABLE pruned_sums (
    uid       TEXT     NOT NULL,
    "trigger" TEXT     NOT NULL,
    state     TEXT     NOT NULL,
    count     BIGINT   NOT NULL,
    first_at  DATETIME NOT NULL,
    last_at   DATETIME NOT NULL,
    PRIMARY KEY (uid, "trigger", state)
);
INSERT INTO pruned_sums (uid, "trigger", state, count, first_at, last_at)
SELECT uid, "trigger", state, count, first_at, last_at FROM older_sums;
DROP TABLE older_sums;

CREATE INDEX ix_occurrences_open_uid ON occurrences (uid)
    WHERE state IN ('waiting', 'sending', 'unknown');

DROP INDEX IF EXISTS ix_schedules_touched;
CREATE INDEX ix_schedules_touched ON schedules (id) WHERE touched <> 0;

ALTER TABLE outbox ADD COLUMN server TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
-- The first of each channel and lane that is not given up.
UPDATE outbox SET head = 1 WHERE id IN
    (SELECT min(id) FROM outbox WHERE given_up_at IS NULL GROUP BY channel, lane);
UPDATE outbox SET lease_until = NULL WHERE given_up_at IS NOT NULL;

DROP INDEX ix_outbox_lane;
DROP INDEX ix_outbox_expires_at;
CREATE INDEX ix_outbox_lane ON outbox (channel, lane, id) WHERE given_up_at IS NULL;
CREATE INDEX ix_outbox_due ON outbox (channel, not_before) WHERE head = 1 AND lease_until IS NULL;
CREATE INDEX ix_outbox_server ON outbox (channel, server, not_before)
    WHERE head = 1 AND lease_until IS NULL;
CREATE INDEX ix_outbox_leased ON outbox (channel, lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX ix_outbox_expires_at ON outbox (expires_at) WHERE given_up_at IS NULL;
CREATE INDEX ix_outbox_given_up ON outbox (given_up_at) WHERE given_up_at IS NOT NULL;
CREATE INDEX ix_outbox_failed ON outbox (given_up_at, id)
    WHERE error IS NOT NULL AND channel <> 'ping';

CREATE TRIGGER outbox_added AFTER INSERT ON outbox
WHEN NEW.given_up_at IS NULL AND NOT EXISTS
    (SELECT 1 FROM outbox WHERE channel = NEW.channel AND lane = NEW.lane AND id < NEW.id
                            AND given_up_at IS NULL)
BEGIN
    UPDATE outbox SET head = 1 WHERE id = NEW.id;
END;
CREATE TRIGGER outbox_removed AFTER DELETE ON outbox WHEN OLD.head = 1
BEGIN
    UPDATE outbox SET head = 1 WHERE id =
        (SELECT id FROM outbox WHERE channel = OLD.channel AND lane = OLD.lane
                               AND given_up_at IS NULL ORDER BY id LIMIT 1);
END;
CREATE TRIGGER outbox_given_up AFTER UPDATE OF given_up_at ON outbox
WHEN OLD.head = 1 AND NEW.given_up_at IS NOT NULL
BEGIN
    UPDATE outbox SET head = 0 WHERE id = NEW.id;
    UPDATE outbox SET head = 1 WHERE id =
        (SELECT id FROM outbox WHERE channel = NEW.channel AND lane = NEW.lane
                               AND given_up_at IS NULL ORDER BY id LIMIT 1);
END;

CREATE INDEX ix_incidents_open ON incidents (id) WHERE closed_at IS NULL;
CREATE INDEX ix_incidents_closed_at ON incidents (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX ix_incidents_untold ON incidents (told) WHERE closed_at IS NULL;

ALTER TABLE incidents ADD COLUMN agent_id TEXT;
ALTER TABLE incidents ADD COLUMN uid TEXT;
CREATE INDEX ix_incidents_agent ON incidents (agent_id)
    WHERE closed_at IS NULL AND agent_id IS NOT NULL;

ALTER TABLE schedules ADD COLUMN paused_by_failures INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ix_schedules_agent_lifecycle ON schedules (agent_id, lifecycle);
CREATE INDEX ix_occurrences_open_agent ON occurrences (agent_id)
    WHERE state IN ('waiting', 'sending', 'unknown');

ALTER TABLE attempts ADD COLUMN repeats BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;

ALTER TABLE schedules ADD COLUMN ended_at DATETIME;
CREATE INDEX ix_schedules_ended_at ON schedules (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ix_schedules_ended_before ON schedules (next_run)
    WHERE ended_at IS NULL AND lifecycle IN ('finished', 'cancelled');

CREATE TABLE clock_readings (
    trusted INTEGER  NOT NULL PRIMARY KEY CHECK (trusted IN (0, 1)),
    at      DATETIME NOT NULL,
    boot    TEXT,
    uptime  BIGINT   NOT NULL
);

CREATE INDEX ix_schedule_revisions_from_at ON schedule_revisions (from_at);

CREATE TABLE registrations (
    uid         TEXT     NOT NULL PRIMARY KEY,
    agent_id    TEXT     NOT NULL,
    made_at     DATETIME NOT NULL,
    chose_agent INTEGER  NOT NULL,
    target      TEXT
) WITHOUT ROWID;
CREATE INDEX ix_registrations_agent_id ON registrations (agent_id, made_at);
CREATE INDEX ix_registrations_made_at ON registrations (made_at);

ALTER TABLE occurrences ADD COLUMN doubted_at DATETIME;

ALTER TABLE held_targets ADD COLUMN by_lanes INTEGER NOT NULL DEFAULT 0;

CREATE TABLE changes (
    id          INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    at          DATETIME NOT NULL,
    caller      TEXT     NOT NULL,
    key_name    TEXT,
    face        TEXT     NOT NULL,
    operation   TEXT     NOT NULL,
    schedule_id BIGINT,
    uid         TEXT,
    agent_id    TEXT,
    what        TEXT,
    target      TEXT
);
CREATE INDEX ix_changes_at ON changes (at);
CREATE INDEX ix_changes_schedule_id ON changes (schedule_id) WHERE schedule_id IS NOT NULL;
CREATE INDEX ix_changes_agent_id ON changes (agent_id) WHERE agent_id IS NOT NULL;

ALTER TABLE deleted_schedules ADD COLUMN id BIGINT;
ALTER TABLE deleted_schedules ADD COLUMN target TEXT;
DROP TRIGGER IF EXISTS schedules_deleted;
CREATE TRIGGER schedules_deleted AFTER DELETE ON schedules WHEN OLD.uid IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO deleted_schedules
        (uid, agent_id, lifecycle, planned_next_run, repetitions, paused_at, id, target)
    VALUES (OLD.uid, OLD.agent_id, OLD.lifecycle, OLD.planned_next_run, OLD.repetitions,
            OLD.paused_at, OLD.id, OLD.target);
END;

CREATE TABLE schedule_counts (
    lifecycle TEXT   NOT NULL PRIMARY KEY,
    count     BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO schedule_counts (lifecycle, count)
SELECT w.word, (SELECT count(*) FROM schedules WHERE coalesce(lifecycle, 'new') = w.word)
FROM (SELECT 'new' AS word UNION ALL SELECT 'active' UNION ALL SELECT 'paused'
      UNION ALL SELECT 'finished' UNION ALL SELECT 'cancelled' UNION ALL SELECT 'broken') AS w;
CREATE TRIGGER schedules_counted AFTER INSERT ON schedules
BEGIN
    UPDATE schedule_counts SET count = count + 1 WHERE lifecycle = coalesce(NEW.lifecycle, 'new');
END;
CREATE TRIGGER schedules_recounted AFTER UPDATE OF lifecycle ON schedules
WHEN OLD.lifecycle IS NOT NEW.lifecycle
BEGIN
    UPDATE schedule_counts SET count = count - 1 WHERE lifecycle = coalesce(OLD.lifecycle, 'new');
    UPDATE schedule_counts SET count = count + 1 WHERE lifecycle = coalesce(NEW.lifecycle, 'new');
END;
CREATE TRIGGER schedules_uncounted AFTER DELETE ON schedules
BEGIN
    UPDATE schedule_counts SET count = count - 1 WHERE lifecycle = coalesce(OLD.lifecycle, 'new');
END;

CREATE INDEX ix_incidents_unknown_agents ON incidents (opened_at)
    WHERE code = 'agent_unknown' AND agent_id IS NOT NULL;

CREATE INDEX ix_occurrences_of_schedule ON occurrences (uid, intended_at, id);
CREATE INDEX ix_occurrences_of_agent ON occurrences (agent_id, intended_at, id);
CREATE INDEX ix_occurrences_intended_at ON occurrences (intended_at, id);
CREATE INDEX ix_occurrences_not_sent ON occurrences (state, intended_at, id)
    WHERE state IN ('dead', 'missed', 'skipped', 'cancelled');

ALTER TABLE schedules ADD COLUMN target TEXT;
ALTER TABLE schedules ADD COLUMN conversation TEXT;
ALTER TABLE occurrences ADD COLUMN conversation TEXT;
ALTER TABLE occurrences ADD COLUMN target TEXT;
UPDATE occurrences SET target = substr(lane, 1, instr(lane, '/') - 1) WHERE instr(lane, '/') > 1;
ALTER TABLE keys ADD COLUMN target TEXT;
ALTER TABLE schedules ADD COLUMN resume_at DATETIME;
ALTER TABLE schedules ADD COLUMN except_dates TEXT;
ALTER TABLE schedule_revisions ADD COLUMN except_dates TEXT;
CREATE INDEX ix_schedules_of_name ON schedules (name, agent_id, id) WHERE name IS NOT NULL;
CREATE INDEX ix_schedules_resume ON schedules (resume_at)
    WHERE resume_at IS NOT NULL AND lifecycle = 'paused';

CREATE TABLE halted_targets (
    target TEXT     NOT NULL PRIMARY KEY,
    since  DATETIME NOT NULL,
    note   TEXT
);
