-- One row: who this database is. Every otid is derived from it.
CREATE TABLE install (
    only_row   INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    install_id TEXT    NOT NULL
);

-- The first nine columns belong to everybody; other programs read and write them. Their times are
-- UTC text 'YYYY-MM-DD HH:MM:SS.ffffff'. Every column after them is nullable or has a default.
CREATE TABLE schedules (
    id               INTEGER      NOT NULL PRIMARY KEY,
    agent_id         VARCHAR(255) NOT NULL,
    prompt_text      TEXT         NOT NULL,
    schedule_type    VARCHAR(50)  NOT NULL,
    schedule_value   VARCHAR(255) NOT NULL,
    next_run         DATETIME     NOT NULL,
    created_at       DATETIME,
    active           BOOLEAN,
    last_run         DATETIME,

    uid              TEXT,
    name             TEXT,
    timezone         TEXT,
    anchor           DATETIME,
    start_at         DATETIME,
    end_at           DATETIME,
    max_repetitions  BIGINT,
    repetitions      BIGINT       NOT NULL DEFAULT 0,
    lifecycle        TEXT,
    broken_reason    TEXT,
    -- next_run as we last wrote it: what differs was written by somebody else.
    planned_next_run DATETIME,
    row_version      BIGINT       NOT NULL DEFAULT 0,
    -- 1: another program made or changed this row and it is not adopted yet.
    touched          INTEGER      NOT NULL DEFAULT 1
);
CREATE INDEX ix_schedules_agent_id ON schedules (agent_id);
CREATE INDEX ix_schedules_next_run ON schedules (next_run);
CREATE INDEX ix_schedules_active   ON schedules (active);
CREATE UNIQUE INDEX ix_schedules_uid ON schedules (uid);
CREATE INDEX ix_schedules_due ON schedules (next_run) WHERE active = 1 AND touched = 0;
CREATE INDEX ix_schedules_touched ON schedules (id) WHERE touched = 1;
-- Not unique, although names are: a foreign writer who moves a schedule to another agent must not
-- fail on a column it does not know.
CREATE INDEX ix_schedules_name ON schedules (agent_id, name) WHERE name IS NOT NULL;

-- Each write of ours raises row_version; a change without that is somebody else's.
CREATE TRIGGER schedules_touched AFTER UPDATE ON schedules
WHEN NEW.row_version = OLD.row_version AND OLD.touched = 0
BEGIN
    UPDATE schedules SET touched = 1 WHERE id = NEW.id;
END;

-- What a schedule's instants were, from when on: enough to compute the past again.
CREATE TABLE schedule_revisions (
    id              INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    uid             TEXT     NOT NULL,
    from_at         DATETIME NOT NULL,
    schedule_type   TEXT     NOT NULL,
    schedule_value  TEXT     NOT NULL,
    timezone        TEXT     NOT NULL,
    anchor          DATETIME NOT NULL,
    first_instant   DATETIME NOT NULL,
    end_at          DATETIME,
    max_repetitions BIGINT
);
CREATE INDEX ix_schedule_revisions_uid ON schedule_revisions (uid, id);

-- Requests to Letta by the SHA-256 of their JSON.
CREATE TABLE payloads (
    hash TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE occurrences (
    id              INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    uid             TEXT     NOT NULL,
    agent_id        TEXT     NOT NULL,
    "trigger"       TEXT     NOT NULL,
    first_at        DATETIME NOT NULL,
    intended_at     DATETIME NOT NULL,
    count           BIGINT   NOT NULL DEFAULT 1,
    state           TEXT     NOT NULL,
    reason          TEXT,
    lane            TEXT,
    payload         TEXT REFERENCES payloads (hash),
    not_before      DATETIME,
    owner           TEXT,
    fence           BIGINT   NOT NULL DEFAULT 0,
    -- How many otids proved useless, and how many tries count for the backoff.
    generation      BIGINT   NOT NULL DEFAULT 0,
    failures        BIGINT   NOT NULL DEFAULT 0,
    -- Retries end here; an unknown fate is given up there.
    expires_at      DATETIME,
    reconcile_until DATETIME,
    sent_at         DATETIME,
    finished_at     DATETIME,
    run_id          TEXT,
    stop_reason     TEXT,
    turn            TEXT,
    tokens          BIGINT,
    reply           TEXT,
    error           TEXT,
    UNIQUE (uid, "trigger", intended_at)
);
CREATE UNIQUE INDEX ix_occurrences_one_in_flight_per_lane ON occurrences (lane)
    WHERE state IN ('sending', 'unknown');
CREATE UNIQUE INDEX ix_occurrences_one_open_per_schedule ON occurrences (uid)
    WHERE "trigger" = 'schedule' AND state IN ('waiting', 'sending', 'unknown');
CREATE INDEX ix_occurrences_open ON occurrences (state)
    WHERE state IN ('waiting', 'sending', 'unknown');

CREATE TABLE attempts (
    occurrence_id INTEGER  NOT NULL REFERENCES occurrences (id),
    n             BIGINT   NOT NULL,
    otid          TEXT     NOT NULL,
    -- The line put before the prompt. Repeating an otid repeats it.
    envelope      TEXT,
    started_at    DATETIME NOT NULL,
    finished_at   DATETIME,
    error_code    TEXT,
    error         TEXT,
    run_id        TEXT,
    PRIMARY KEY (occurrence_id, n)
);

-- Running schedulers. A row whose lock is free was left by a crash.
CREATE TABLE schedulers (
    owner        TEXT     NOT NULL PRIMARY KEY,
    pid          BIGINT   NOT NULL,
    started_at   DATETIME NOT NULL,
    heartbeat_at DATETIME NOT NULL,
    -- Why it delivers nothing at the moment.
    holding      TEXT
);

-- Targets that are held, and why.
CREATE TABLE held_targets (
    target     TEXT     NOT NULL PRIMARY KEY,
    held_since DATETIME NOT NULL,
    code       TEXT     NOT NULL,
    reason     TEXT     NOT NULL
);

-- Tables of other programs that were brought over, so that it happens once.
CREATE TABLE upgrades (
    source  TEXT     NOT NULL PRIMARY KEY,
    made_at DATETIME NOT NULL
);
