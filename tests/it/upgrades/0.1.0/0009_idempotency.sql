-- Requests over HTTP that may come again, and what was answered: a caller that lost the answer asks
-- again under the same key and gets the same one.
CREATE TABLE requests (
    caller       TEXT     NOT NULL,
    key          TEXT     NOT NULL,
    -- The SHA-256 of what was asked.
    hash         TEXT     NOT NULL,
    created_at   DATETIME NOT NULL,
    -- What it made, written together with that: the number of a schedule or of an occurrence.
    effect       INTEGER,
    -- What was answered; NULL as long as it is carried out.
    status       INTEGER,
    body         TEXT,
    PRIMARY KEY (caller, key)
) WITHOUT ROWID;

CREATE INDEX requests_age ON requests (created_at);
