-- The account: a revision says which instants were to be accounted for under it.
--
-- Instants before ends_before have an outcome or are open; NULL while it is the schedule's plan,
-- then they are those before planned_next_run.
ALTER TABLE schedule_revisions ADD COLUMN ends_before DATETIME;
-- How many repetitions were taken when it began: max_repetitions leaves the rest.
ALTER TABLE schedule_revisions ADD COLUMN repetitions BIGINT NOT NULL DEFAULT 0;

-- Occurrences up to this number were made before revisions said so. They are counted as they are.
ALTER TABLE install ADD COLUMN early_occurrences BIGINT NOT NULL DEFAULT 0;
UPDATE install SET early_occurrences = (SELECT coalesce(max(id), 0) FROM occurrences);
UPDATE schedule_revisions SET ends_before = first_instant;
INSERT INTO schedule_revisions (uid, from_at, schedule_type, schedule_value, timezone, anchor,
                                first_instant, end_at, max_repetitions, repetitions)
SELECT r.uid, r.from_at, r.schedule_type, r.schedule_value, r.timezone, r.anchor,
       s.planned_next_run, r.end_at, r.max_repetitions, s.repetitions
FROM schedules s JOIN schedule_revisions r
    ON r.id = (SELECT max(id) FROM schedule_revisions WHERE uid = s.uid)
WHERE s.lifecycle IN ('active', 'paused') AND s.planned_next_run IS NOT NULL;

-- What is no longer kept one by one: how many instants of a schedule came to each outcome. Those of
-- early occurrences, as above, are summed apart.
CREATE TABLE pruned_sums (
    uid       TEXT     NOT NULL,
    "trigger" TEXT     NOT NULL,
    state     TEXT     NOT NULL,
    early     INTEGER  NOT NULL,
    count     BIGINT   NOT NULL,
    first_at  DATETIME NOT NULL,
    last_at   DATETIME NOT NULL,
    PRIMARY KEY (uid, "trigger", state, early)
);

-- Schedules that another program deleted: what was due of them is still to be settled.
CREATE TABLE deleted_schedules (
    uid              TEXT   NOT NULL PRIMARY KEY,
    agent_id         TEXT   NOT NULL,
    lifecycle        TEXT,
    planned_next_run DATETIME,
    repetitions      BIGINT NOT NULL,
    paused_at        DATETIME
);
CREATE TRIGGER schedules_deleted AFTER DELETE ON schedules WHEN OLD.uid IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO deleted_schedules
        (uid, agent_id, lifecycle, planned_next_run, repetitions, paused_at)
    VALUES (OLD.uid, OLD.agent_id, OLD.lifecycle, OLD.planned_next_run, OLD.repetitions,
            OLD.paused_at);
END;
