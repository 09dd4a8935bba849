-- What has gone wrong and needs somebody, until it is over.
CREATE TABLE incidents (
    id            INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind          TEXT     NOT NULL,
    -- Whose trouble it is: a schedule's uid, or the name of a target.
    subject       TEXT     NOT NULL,
    occurrence_id BIGINT,
    code          TEXT,
    reason        TEXT     NOT NULL,
    -- How often it has happened while it was open.
    count         BIGINT   NOT NULL DEFAULT 1,
    opened_at     DATETIME NOT NULL,
    closed_at     DATETIME,
    -- How it ended.
    outcome       TEXT,
    -- 1: a notice was written of it, so its end is told too.
    told          INTEGER  NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX ix_incidents_one_open ON incidents (subject, kind) WHERE closed_at IS NULL;

-- Ways to tell somebody that a scheduler has lately been configured with. Where there are none, no
-- notices are written.
CREATE TABLE channels (
    name         TEXT     NOT NULL PRIMARY KEY,
    wanted_until DATETIME NOT NULL
);

-- What is to be sent to somebody other than Letta. A row stays until it was delivered.
CREATE TABLE outbox (
    id          INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    channel     TEXT     NOT NULL,
    -- Rows of one channel and lane are sent one after the other.
    lane        TEXT     NOT NULL,
    kind        TEXT     NOT NULL,
    event       TEXT     NOT NULL,
    -- Where to, unless the settings say it.
    destination TEXT,
    body        TEXT     NOT NULL,
    created_at  DATETIME NOT NULL,
    not_before  DATETIME NOT NULL,
    expires_at  DATETIME NOT NULL,
    tries       BIGINT   NOT NULL DEFAULT 0,
    -- Until when a scheduler is at it.
    lease_until DATETIME,
    error       TEXT,
    given_up_at DATETIME
);
CREATE INDEX ix_outbox_lane ON outbox (channel, lane, id);
CREATE INDEX ix_outbox_expires_at ON outbox (expires_at);

-- Where a dead-man service wants to hear of this schedule.
ALTER TABLE schedules ADD COLUMN ping_url TEXT;
