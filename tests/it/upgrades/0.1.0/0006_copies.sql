-- Pruning goes by when an occurrence was settled, and looks for who else refers to a payload.
CREATE INDEX ix_occurrences_finished_at ON occurrences (finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX ix_occurrences_payload ON occurrences (payload) WHERE payload IS NOT NULL;

-- Who this database was before it was restored from a backup: prompts may be in an agent's history
-- under otids of those.
CREATE TABLE former_installs (
    install_id TEXT     NOT NULL PRIMARY KEY,
    until      DATETIME NOT NULL
);
