-- The outbox, however full it is: what may be sent next is found by an index.
--
-- To whom a ping goes, so that one server that hangs doesn't keep the others from theirs.
ALTER TABLE outbox ADD COLUMN server TEXT NOT NULL DEFAULT '';
-- 1: it is the first of its channel and lane that is not given up. Only that one may be sent.
ALTER TABLE outbox ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
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

-- A trouble of an agent is one incident, however many of its schedules meet it: subject is then the
-- lane, and this the agent. NULL: it is a schedule's or a target's.
ALTER TABLE incidents ADD COLUMN agent_id TEXT;
-- The schedule that met it; NULL once there are several.
ALTER TABLE incidents ADD COLUMN uid TEXT;
CREATE INDEX ix_incidents_agent ON incidents (agent_id)
    WHERE closed_at IS NULL AND agent_id IS NOT NULL;

-- 1: it was paused since too many of its prompts in a row were given up, not by anybody's wish.
ALTER TABLE schedules ADD COLUMN paused_by_failures INTEGER NOT NULL DEFAULT 0;
-- Whether anything more comes of an agent's schedules.
CREATE INDEX ix_schedules_agent_lifecycle ON schedules (agent_id, lifecycle);
CREATE INDEX ix_occurrences_open_agent ON occurrences (agent_id)
    WHERE state IN ('waiting', 'sending', 'unknown');
