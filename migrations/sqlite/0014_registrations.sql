-- What callers with a budget registered: each counts for a day, also if it was cancelled or moved to
-- another agent since, and as long as its schedule is live.
CREATE TABLE IF NOT EXISTS registrations (
    -- The schedule's.
    uid         TEXT     NOT NULL PRIMARY KEY,
    -- Whom it was for.
    agent_id    TEXT     NOT NULL,
    made_at     DATETIME NOT NULL,
    -- 1: whoever asked for it chose the agent, and nobody told who asked.
    chose_agent INTEGER  NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ix_registrations_agent_id ON registrations (agent_id, made_at);
CREATE INDEX IF NOT EXISTS ix_registrations_made_at ON registrations (made_at);
