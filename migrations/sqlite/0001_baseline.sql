-- Which of these scripts were applied.
CREATE TABLE migrations (
    version    BIGINT   NOT NULL PRIMARY KEY,
    name       TEXT     NOT NULL,
    applied_at DATETIME NOT NULL,
    -- The SHA-384 of the script.
    checksum   TEXT     NOT NULL
);

-- Where version 0.1.0 looks for its own: it refuses a file in which it finds one that it does not
-- know, as the work of a newer program.
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
VALUES (19, 'noted in the table migrations', 1, x'', 0);

-- One row: who this database is. Every otid is derived from it.
CREATE TABLE install (
    only_row   INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    install_id TEXT    NOT NULL
);

-- Who this database was before it was restored from a backup: prompts may be in an agent's history
-- under otids of those.
CREATE TABLE former_installs (
    install_id TEXT     NOT NULL PRIMARY KEY,
    until      DATETIME NOT NULL
);

-- Tables of other programs that were brought over, so that it happens once.
CREATE TABLE upgrades (
    source  TEXT     NOT NULL PRIMARY KEY,
    made_at DATETIME NOT NULL
);

-- Requests to Letta by the SHA-256 of their JSON.
CREATE TABLE payloads (
    hash TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);

-- The first nine columns belong to everybody; other programs read and write them. Their times are
-- UTC text 'YYYY-MM-DD HH:MM:SS.ffffff'. Every column after them is nullable or has a default.
CREATE TABLE schedules (
    id                 INTEGER      NOT NULL PRIMARY KEY,
    agent_id           VARCHAR(255) NOT NULL,
    prompt_text        TEXT         NOT NULL,
    schedule_type      VARCHAR(50)  NOT NULL,
    schedule_value     VARCHAR(255) NOT NULL,
    next_run           DATETIME     NOT NULL,
    created_at         DATETIME,
    active             BOOLEAN,
    last_run           DATETIME,

    uid                TEXT,
    name               TEXT,
    timezone           TEXT,
    anchor             DATETIME,
    start_at           DATETIME,
    end_at             DATETIME,
    max_repetitions    BIGINT,
    repetitions        BIGINT       NOT NULL DEFAULT 0,
    lifecycle          TEXT,
    broken_reason      TEXT,
    -- next_run as we last wrote it: what differs was written by somebody else.
    planned_next_run   DATETIME,
    row_version        BIGINT       NOT NULL DEFAULT 0,
    -- Not 0: another program made or changed this row and it is not adopted yet.
    touched            INTEGER      NOT NULL DEFAULT 1,
    -- Since when, and why, it is paused.
    paused_at          DATETIME,
    pause_note         TEXT,
    -- How it is delivered; NULL means the default. Durations are seconds.
    catch_up           TEXT,
    grace              BIGINT,
    pause_on_failure   BIGINT,
    envelope           TEXT,
    max_age            BIGINT,
    -- How many prompts were given up since one was delivered.
    dead_in_row        BIGINT       NOT NULL DEFAULT 0,
    -- Where a dead-man service wants to hear of it.
    ping_url           TEXT,
    -- A whole request of its own, with several messages, roles and images: prompt_text is then only
    -- a rendering for people.
    payload            TEXT REFERENCES payloads (hash),
    -- 1: it was paused since too many of its prompts in a row were given up, not by anybody's wish.
    paused_by_failures INTEGER      NOT NULL DEFAULT 0,
    -- When it finished or was cancelled: after the retention its row goes, too. NULL of one that is
    -- live, and of one that ended under version 0.1.0: that ended by its next_run.
    ended_at           DATETIME,
    -- The server that knows the agent, by its name in the settings; NULL: the default one.
    target             TEXT,
    -- In which conversation of the agent: 'default', 'new' for a new one for each run, or its id.
    -- NULL: what is usual there.
    conversation       TEXT,
    -- When it resumes by itself, as long as it is paused.
    resume_at          DATETIME,
    -- The dates on which it does not run: '2026-12-25, 2026-12-31..2027-01-02'.
    except_dates       TEXT
);
CREATE INDEX ix_schedules_agent_id ON schedules (agent_id);
CREATE INDEX ix_schedules_next_run ON schedules (next_run);
CREATE INDEX ix_schedules_active ON schedules (active);
CREATE UNIQUE INDEX ix_schedules_uid ON schedules (uid);
CREATE INDEX ix_schedules_due ON schedules (next_run) WHERE active = 1 AND touched = 0;
-- Not unique, although names are: a foreign writer who moves a schedule to another agent must not
-- fail on a column it does not know.
CREATE INDEX ix_schedules_name ON schedules (agent_id, name) WHERE name IS NOT NULL;
CREATE INDEX ix_schedules_payload ON schedules (payload) WHERE payload IS NOT NULL;
-- Whatever another program writes into it but 0, the row is not adopted yet.
CREATE INDEX ix_schedules_touched ON schedules (id) WHERE touched <> 0;
-- Whether anything more comes of an agent's schedules.
CREATE INDEX ix_schedules_agent_lifecycle ON schedules (agent_id, lifecycle);
CREATE INDEX ix_schedules_ended_at ON schedules (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ix_schedules_ended_before ON schedules (next_run)
    WHERE ended_at IS NULL AND lifecycle IN ('finished', 'cancelled');
CREATE INDEX ix_schedules_of_name ON schedules (name, agent_id, id) WHERE name IS NOT NULL;
-- What resumes by itself.
CREATE INDEX ix_schedules_resume ON schedules (resume_at)
    WHERE resume_at IS NOT NULL AND lifecycle = 'paused';

-- How many schedules stand like this, kept so that nobody has to go through them: new are rows of
-- other programs that are not taken up yet.
CREATE TABLE schedule_counts (
    lifecycle TEXT   NOT NULL PRIMARY KEY,
    count     BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO schedule_counts (lifecycle, count)
VALUES ('new', 0), ('active', 0), ('paused', 0), ('finished', 0), ('cancelled', 0), ('broken', 0);

-- Schedules that another program deleted: what was due of them is still to be settled.
CREATE TABLE deleted_schedules (
    uid              TEXT   NOT NULL PRIMARY KEY,
    agent_id         TEXT   NOT NULL,
    lifecycle        TEXT,
    planned_next_run DATETIME,
    repetitions      BIGINT NOT NULL,
    paused_at        DATETIME,
    -- The number that people know it by.
    id               BIGINT,
    target           TEXT
);

-- What a schedule's instants were, from when on and up to where they were accounted for: enough to
-- calculate the past again.
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
    max_repetitions BIGINT,
    -- Instants before it have an outcome or are open; NULL while it is the schedule's plan, then
    -- they are those before planned_next_run.
    ends_before     DATETIME,
    -- How many repetitions were taken when it began: max_repetitions leaves the rest.
    repetitions     BIGINT   NOT NULL DEFAULT 0,
    -- The dates on which it did not run.
    except_dates    TEXT
);
CREATE INDEX ix_schedule_revisions_uid ON schedule_revisions (uid, id);
-- The newest time that a revision tells is asked for at every start.
CREATE INDEX ix_schedule_revisions_from_at ON schedule_revisions (from_at);

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
    -- What the line before the prompt tells, frozen with the first claim: the number of the firing,
    -- and the unsent firings it stands for.
    firing          BIGINT,
    stands_for      BIGINT   NOT NULL DEFAULT 1,
    stands_since    DATETIME,
    -- Since when the fate of a prompt is unknown: its turn was listened to until then.
    doubted_at      DATETIME,
    -- The conversation in which it is sent, as in schedules; 'new' until that one is made.
    conversation    TEXT,
    -- The target that knows the agent, as in schedules.
    target          TEXT,
    UNIQUE (uid, "trigger", intended_at)
);
CREATE UNIQUE INDEX ix_occurrences_one_in_flight_per_lane ON occurrences (lane)
    WHERE state IN ('sending', 'unknown');
CREATE UNIQUE INDEX ix_occurrences_one_open_per_schedule ON occurrences (uid)
    WHERE "trigger" = 'schedule' AND state IN ('waiting', 'sending', 'unknown');
CREATE INDEX ix_occurrences_open ON occurrences (state)
    WHERE state IN ('waiting', 'sending', 'unknown');
-- Pruning goes by when an occurrence was settled, and looks for who else refers to a payload.
CREATE INDEX ix_occurrences_finished_at ON occurrences (finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX ix_occurrences_payload ON occurrences (payload) WHERE payload IS NOT NULL;
-- Whether anything of a schedule is open is asked with each claim; its whole history is no answer.
CREATE INDEX ix_occurrences_open_uid ON occurrences (uid)
    WHERE state IN ('waiting', 'sending', 'unknown');
CREATE INDEX ix_occurrences_open_agent ON occurrences (agent_id)
    WHERE state IN ('waiting', 'sending', 'unknown');
-- Whoever looks at the history asks for the newest of a schedule, of an agent, or of all; what went
-- wrong is rare among them.
CREATE INDEX ix_occurrences_of_schedule ON occurrences (uid, intended_at, id);
CREATE INDEX ix_occurrences_of_agent ON occurrences (agent_id, intended_at, id);
CREATE INDEX ix_occurrences_intended_at ON occurrences (intended_at, id);
CREATE INDEX ix_occurrences_not_sent ON occurrences (state, intended_at, id)
    WHERE state IN ('dead', 'missed', 'skipped', 'cancelled');

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
    -- A busy agent is asked every few seconds: tries in a row that used none up and were answered
    -- alike are one row. How many came after the first.
    repeats       BIGINT   NOT NULL DEFAULT 0,
    -- 0: it did not count for the backoff.
    counted       INTEGER  NOT NULL DEFAULT 1,
    PRIMARY KEY (occurrence_id, n)
);

-- What is no longer kept one by one: how many instants of a schedule came to each outcome.
CREATE TABLE pruned_sums (
    uid       TEXT     NOT NULL,
    "trigger" TEXT     NOT NULL,
    state     TEXT     NOT NULL,
    count     BIGINT   NOT NULL,
    first_at  DATETIME NOT NULL,
    last_at   DATETIME NOT NULL,
    PRIMARY KEY (uid, "trigger", state)
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
    reason     TEXT     NOT NULL,
    -- 1: the server says that it is well, but prompts of several agents were refused alike.
    by_lanes   INTEGER  NOT NULL DEFAULT 0
);

-- At most one row: since when, and why, nothing at all is sent.
CREATE TABLE halt (
    only_row INTEGER  NOT NULL PRIMARY KEY CHECK (only_row = 1),
    since    DATETIME NOT NULL,
    note     TEXT
);

-- Targets to which nothing is sent until somebody lifts that: since when, and why.
CREATE TABLE halted_targets (
    target TEXT     NOT NULL PRIMARY KEY,
    since  DATETIME NOT NULL,
    note   TEXT
);

-- The newest readings of this machine's clocks: one at which the wall clock was trusted, and one at
-- which it was in doubt. What the boot clock says since tells whether the wall clock was set.
CREATE TABLE clock_readings (
    trusted INTEGER  NOT NULL PRIMARY KEY CHECK (trusted IN (0, 1)),
    at      DATETIME NOT NULL,
    -- Which run of the machine the uptime belongs to, where the system tells.
    boot    TEXT,
    -- How long the machine had been running, in microseconds.
    uptime  BIGINT   NOT NULL
);

-- What has gone wrong and needs somebody, until it is over.
CREATE TABLE incidents (
    id            INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind          TEXT     NOT NULL,
    -- Whose trouble it is: a schedule's uid, an agent's lane, or the name of a target.
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
    told          INTEGER  NOT NULL DEFAULT 0,
    -- A trouble of an agent is one incident, however many of its schedules meet it: subject is then
    -- the lane, and this the agent. NULL: it is a schedule's or a target's.
    agent_id      TEXT,
    -- The schedule that met it; NULL once there are several.
    uid           TEXT
);
CREATE UNIQUE INDEX ix_incidents_one_open ON incidents (subject, kind) WHERE closed_at IS NULL;
CREATE INDEX ix_incidents_open ON incidents (id) WHERE closed_at IS NULL;
CREATE INDEX ix_incidents_closed_at ON incidents (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX ix_incidents_untold ON incidents (told) WHERE closed_at IS NULL;
CREATE INDEX ix_incidents_agent ON incidents (agent_id)
    WHERE closed_at IS NULL AND agent_id IS NOT NULL;
-- Incidents of agents that Letta does not know, by time: whether there are many of them is asked at
-- each prompt for one.
CREATE INDEX ix_incidents_unknown_agents ON incidents (opened_at)
    WHERE code = 'agent_unknown' AND agent_id IS NOT NULL;

-- Ways to tell somebody that a scheduler has lately been configured with. Where there are none, no
-- notices are written.
CREATE TABLE channels (
    name         TEXT     NOT NULL PRIMARY KEY,
    wanted_until DATETIME NOT NULL
);

-- What is to be sent to somebody other than Letta. A row stays until it was delivered. However full
-- it is, what may be sent next is found by an index.
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
    given_up_at DATETIME,
    -- To whom a ping goes, so that one server that hangs doesn't keep the others from theirs.
    server      TEXT     NOT NULL DEFAULT '',
    -- 1: it is the first of its channel and lane that is not given up. Only that one may be sent.
    head        INTEGER  NOT NULL DEFAULT 0
);
CREATE INDEX ix_outbox_lane ON outbox (channel, lane, id) WHERE given_up_at IS NULL;
CREATE INDEX ix_outbox_due ON outbox (channel, not_before) WHERE head = 1 AND lease_until IS NULL;
CREATE INDEX ix_outbox_server ON outbox (channel, server, not_before)
    WHERE head = 1 AND lease_until IS NULL;
CREATE INDEX ix_outbox_leased ON outbox (channel, lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX ix_outbox_expires_at ON outbox (expires_at) WHERE given_up_at IS NULL;
CREATE INDEX ix_outbox_given_up ON outbox (given_up_at) WHERE given_up_at IS NOT NULL;
CREATE INDEX ix_outbox_failed ON outbox (given_up_at, id)
    WHERE error IS NOT NULL AND channel <> 'ping';

-- Keys for callers over HTTP. The key itself is nowhere, only its SHA-256.
CREATE TABLE keys (
    id           INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    name         TEXT     NOT NULL,
    -- The agent it acts for; NULL for the operator's.
    agent_id     TEXT,
    hash         TEXT     NOT NULL UNIQUE,
    created_at   DATETIME NOT NULL,
    revoked_at   DATETIME,
    -- The target that knows the agent; NULL: the default one.
    target       TEXT
);

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

-- What callers with a budget registered: each counts for a day, also if it was cancelled or moved to
-- another agent since, and as long as its schedule is live.
CREATE TABLE registrations (
    -- The schedule's.
    uid         TEXT     NOT NULL PRIMARY KEY,
    -- Whom it was for.
    agent_id    TEXT     NOT NULL,
    made_at     DATETIME NOT NULL,
    -- 1: whoever asked for it chose the agent, and nobody told who asked.
    chose_agent INTEGER  NOT NULL,
    -- The target that knows the agent; NULL: the default one.
    target      TEXT
) WITHOUT ROWID;
CREATE INDEX ix_registrations_agent_id ON registrations (agent_id, made_at);
CREATE INDEX ix_registrations_made_at ON registrations (made_at);

-- Who changed what, when, and how they reached us. Of what was changed the names are told, never
-- texts.
CREATE TABLE changes (
    id          INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    at          DATETIME NOT NULL,
    -- operator, agent (some agent), an agent's id, scheduler, or another program.
    caller      TEXT     NOT NULL,
    -- What the key is called that was shown.
    key_name    TEXT,
    face        TEXT     NOT NULL,
    operation   TEXT     NOT NULL,
    -- The schedule that was changed, and whose it was; NULL where it was about none.
    schedule_id BIGINT,
    uid         TEXT,
    agent_id    TEXT,
    what        TEXT,
    -- The target that knew the agent; NULL: the default one.
    target      TEXT
);
CREATE INDEX ix_changes_at ON changes (at);
CREATE INDEX ix_changes_schedule_id ON changes (schedule_id) WHERE schedule_id IS NOT NULL;
CREATE INDEX ix_changes_agent_id ON changes (agent_id) WHERE agent_id IS NOT NULL;

-- Each write of ours raises row_version; a change without that is somebody else's.
CREATE TRIGGER schedules_touched AFTER UPDATE ON schedules
WHEN NEW.row_version = OLD.row_version AND OLD.touched = 0
BEGIN
    UPDATE schedules SET touched = 1 WHERE id = NEW.id;
END;

-- Whoever changes the prompt, we or another program, wants that prompt sent.
CREATE TRIGGER schedules_prompt_replaced AFTER UPDATE OF prompt_text ON schedules
WHEN OLD.payload IS NOT NULL AND NEW.payload IS OLD.payload
    AND NEW.prompt_text IS NOT OLD.prompt_text
BEGIN
    UPDATE schedules SET payload = NULL, row_version = row_version + 1 WHERE id = NEW.id;
END;

-- What nothing refers to any more does not stay.
CREATE TRIGGER schedules_payload_left AFTER UPDATE OF payload ON schedules
WHEN OLD.payload IS NOT NULL AND NEW.payload IS NOT OLD.payload
BEGIN
    DELETE FROM payloads WHERE hash = OLD.payload
        AND NOT EXISTS (SELECT 1 FROM occurrences WHERE payload = OLD.payload)
        AND NOT EXISTS (SELECT 1 FROM schedules WHERE payload = OLD.payload);
END;
CREATE TRIGGER schedules_payload_deleted AFTER DELETE ON schedules
WHEN OLD.payload IS NOT NULL
BEGIN
    DELETE FROM payloads WHERE hash = OLD.payload
        AND NOT EXISTS (SELECT 1 FROM occurrences WHERE payload = OLD.payload)
        AND NOT EXISTS (SELECT 1 FROM schedules WHERE payload = OLD.payload);
END;

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

CREATE TRIGGER schedules_deleted AFTER DELETE ON schedules WHEN OLD.uid IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO deleted_schedules
        (uid, agent_id, lifecycle, planned_next_run, repetitions, paused_at, id, target)
    VALUES (OLD.uid, OLD.agent_id, OLD.lifecycle, OLD.planned_next_run, OLD.repetitions,
            OLD.paused_at, OLD.id, OLD.target);
END;

CREATE TRIGGER schedules_counted AFTER INSERT ON schedules
BEGIN
    UPDATE schedule_counts SET count = count + 1 WHERE lifecycle = coalesce(NEW.lifecycle, 'new');
END;
CREATE TRIGGER schedules_recounted AFTER UPDATE OF lifecycle ON schedules
WHEN OLD.lifecycle IS NOT NEW.lifecycle
BEGIN
    UPDATE schedule_counts SET count = count - 1 WHERE lifecycle = coalesce(OLD.lifecycle, 'new');
    UPDATE schedule_counts SET count = count + 1 WHERE lifecycle = coalesce(NEW.lifecycle, 'new');
END;
CREATE TRIGGER schedules_uncounted AFTER DELETE ON schedules
BEGIN
    UPDATE schedule_counts SET count = count - 1 WHERE lifecycle = coalesce(OLD.lifecycle, 'new');
END;
