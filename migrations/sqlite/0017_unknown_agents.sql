-- Incidents of agents that Letta does not know, by time: whether there are many of them is asked at
-- each prompt for one.
CREATE INDEX IF NOT EXISTS ix_incidents_unknown_agents ON incidents (opened_at)
    WHERE code = 'agent_unknown' AND agent_id IS NOT NULL;
