-- Who changed what, when, and how they reached us. Of what was changed the names are told, never texts.
CREATE TABLE changes (
    id          INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    at          DATETIME NOT NULL,
    -- operator, agent (some agent), an agent's id, scheduler, or another program.
    caller      TEXT     NOT NULL,
    -- What the key is called that was shown.
    key_name    TEXT,
    face        TEXT     NOT NULL,
    operation   TEXT     NOT NULL,
    -- The schedule that was changed, and whose it was; NULL where it was about none.
    schedule_id BIGINT,
    uid         TEXT,
    agent_id    TEXT,
    what        TEXT
);
CREATE INDEX ix_changes_at ON changes (at);
CREATE INDEX ix_changes_schedule_id ON changes (schedule_id) WHERE schedule_id IS NOT NULL;
CREATE INDEX ix_changes_agent_id ON changes (agent_id) WHERE agent_id IS NOT NULL;

-- A schedule that another program deleted is told by the number that people know it by.
ALTER TABLE deleted_schedules ADD COLUMN id BIGINT;
DROP TRIGGER IF EXISTS schedules_deleted;
CREATE TRIGGER schedules_deleted AFTER DELETE ON schedules WHEN OLD.uid IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO deleted_schedules
        (uid, agent_id, lifecycle, planned_next_run, repetitions, paused_at, id)
    VALUES (OLD.uid, OLD.agent_id, OLD.lifecycle, OLD.planned_next_run, OLD.repetitions,
            OLD.paused_at, OLD.id);
END;

-- How many schedules stand like this, kept so that nobody has to go through them: new are rows of other
-- programs that are not taken up yet.
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
