-- Whoever looks at the history asks for the newest of a schedule, of an agent, or of all; what went
-- wrong is rare among them.
CREATE INDEX ix_occurrences_of_schedule ON occurrences (uid, intended_at, id);
CREATE INDEX ix_occurrences_of_agent ON occurrences (agent_id, intended_at, id);
CREATE INDEX ix_occurrences_intended_at ON occurrences (intended_at, id);
CREATE INDEX ix_occurrences_not_sent ON occurrences (state, intended_at, id)
    WHERE state IN ('dead', 'missed', 'skipped', 'cancelled');
