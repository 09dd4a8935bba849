-- Keys for callers over HTTP. The key itself is nowhere, only its SHA-256.
CREATE TABLE keys (
    id           INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    name         TEXT     NOT NULL,
    -- The agent it acts for; NULL for the operator's.
    agent_id     TEXT,
    hash         TEXT     NOT NULL UNIQUE,
    created_at   DATETIME NOT NULL,
    revoked_at   DATETIME
);
