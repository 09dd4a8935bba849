-- What version 0.1.0 may have left behind at 2026-02-01 12:00 UTC, when its scheduler was killed.
INSERT INTO install (only_row, install_id) VALUES (1, '10000000-0000-4000-8000-000000000000');
INSERT INTO former_installs VALUES
    ('10000000-0000-4000-8000-00000000000f', '2026-01-20 08:00:00.000000');
INSERT INTO upgrades VALUES ('unified_reminders', '2026-01-15 08:00:00.000000');
INSERT INTO payloads VALUES
    ('p1', '{"messages":[{"content":"tick","role":"user"}]}'),
    ('p2', '{"messages":[{"content":"look","role":"system"},{"content":"whole","role":"user"}]}');

INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, next_run,
    created_at, active, last_run, uid, timezone, anchor, repetitions, lifecycle, planned_next_run,
    row_version, touched)
VALUES
    (1, 'agent-a', 'tick', 'interval', '10m', '2026-02-01 12:00:00.000000',
     '2026-02-01 11:00:00.000000', 1, '2026-02-01 11:50:00.000000',
     '00000000-0000-4000-8000-000000000001', 'UTC', '2026-02-01 11:00:00.000000', 5, 'active',
     '2026-02-01 12:00:00.000000', 9, 0),
    (2, 'agent-b', 'daily', 'cron', '0 9 * * *', '2026-02-02 08:00:00.000000',
     '2026-01-30 10:00:00.000000', 1, '2026-02-01 08:00:00.000000',
     '00000000-0000-4000-8000-000000000002', 'Europe/Berlin', '2026-01-31 12:00:00.000000', 2,
     'active', '2026-02-02 08:00:00.000000', 5, 0),
    (3, 'agent-c', 'later', 'once', '2026-02-01T13:00:00+00:00', '2026-02-01 13:00:00.000000',
     '2026-02-01 11:00:00.000000', 1, NULL, '00000000-0000-4000-8000-000000000003', 'UTC',
     '2026-02-01 11:00:00.000000', 0, 'active', '2026-02-01 13:00:00.000000', 1, 0),
    (4, 'agent-c', 'done', 'once', '2026-02-01T11:00:00+00:00', '2026-02-01 11:00:00.000000',
     '2026-02-01 10:00:00.000000', 0, '2026-02-01 11:00:00.000000',
     '00000000-0000-4000-8000-000000000004', 'UTC', '2026-02-01 10:00:00.000000', 1, 'finished',
     '2026-02-01 11:00:00.000000', 3, 0),
    (5, 'agent-d', 'lost', 'once', '2026-02-01T10:00:00+00:00', '2026-02-01 10:00:00.000000',
     '2026-02-01 09:00:00.000000', 0, NULL, '00000000-0000-4000-8000-000000000005', 'UTC',
     '2026-02-01 09:00:00.000000', 1, 'finished', '2026-02-01 10:00:00.000000', 4, 0),
    (6, 'agent-e', 'paused', 'interval', '1h', '2026-02-01 11:00:00.000000',
     '2026-02-01 08:00:00.000000', 0, '2026-02-01 10:00:00.000000',
     '00000000-0000-4000-8000-000000000006', 'UTC', '2026-02-01 08:00:00.000000', 2, 'paused',
     '2026-02-01 11:00:00.000000', 6, 0),
    (7, 'agent-e', 'no more', 'interval', '30m', '2026-02-01 12:00:00.000000',
     '2026-02-01 10:30:00.000000', 0, '2026-02-01 11:00:00.000000',
     '00000000-0000-4000-8000-000000000007', 'UTC', '2026-02-01 10:30:00.000000', 2, 'cancelled',
     '2026-02-01 12:00:00.000000', 6, 0),
    (9, 'agent-f', 'on its way', 'interval', '1h', '2026-02-01 12:59:00.000000',
     '2026-02-01 10:59:00.000000', 1, NULL, '00000000-0000-4000-8000-000000000009', 'UTC',
     '2026-02-01 10:59:00.000000', 1, 'active', '2026-02-01 12:59:00.000000', 2, 0),
    (10, 'agent-g', 'perhaps', 'once', '2026-02-01T11:58:00+00:00', '2026-02-01 11:58:00.000000',
     '2026-02-01 11:00:00.000000', 0, NULL, '00000000-0000-4000-8000-000000000010', 'UTC',
     '2026-02-01 11:00:00.000000', 1, 'finished', '2026-02-01 11:58:00.000000', 2, 0),
    (11, 'agent-h', 'again', 'interval', '1h', '2026-02-01 12:57:00.000000',
     '2026-02-01 10:57:00.000000', 1, NULL, '00000000-0000-4000-8000-000000000011', 'UTC',
     '2026-02-01 10:57:00.000000', 1, 'active', '2026-02-01 12:57:00.000000', 3, 0),
    (14, 'agent-k', '[system] look', 'cron', '30 * * * *', '2026-02-01 12:30:00.000000',
     '2026-02-01 11:55:00.000000', 1, NULL, '00000000-0000-4000-8000-000000000014', 'UTC',
     '2026-02-01 11:55:00.000000', 0, 'active', '2026-02-01 12:30:00.000000', 1, 0);
UPDATE schedules SET name = 'daily', catch_up = 'skip', grace = 600, pause_on_failure = 3,
    envelope = 'short', max_age = 3600, ping_url = 'http://127.0.0.1:9/ping',
    row_version = row_version + 1 WHERE id = 2;
UPDATE schedules SET dead_in_row = 1, row_version = row_version + 1 WHERE id = 5;
UPDATE schedules SET max_repetitions = 5, paused_at = '2026-02-01 10:30:00.000000',
    pause_note = 'on holiday', start_at = '2026-02-01 08:30:00.000000',
    end_at = '2026-03-01 00:00:00.000000', row_version = row_version + 1 WHERE id = 6;
UPDATE schedules SET payload = 'p2', row_version = row_version + 1 WHERE id = 14;
INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, next_run, active,
    uid, timezone, lifecycle, broken_reason, row_version, touched)
VALUES (8, 'agent-a', 'never', 'cron', '0 0 31 2 *', '2026-02-01 11:00:00.000000', 0,
    '00000000-0000-4000-8000-000000000008', 'UTC', 'broken', 'the pattern has no instant', 2, 0);
-- Another program's: made, and changed, since the scheduler last looked.
INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, next_run, active)
VALUES (12, 'agent-i', 'foreign', 'interval', '15m', '2026-02-01 11:59:00', 1);
INSERT INTO schedules (id, agent_id, prompt_text, schedule_type, schedule_value, next_run,
    created_at, active, uid, timezone, anchor, lifecycle, planned_next_run, row_version, touched)
VALUES (13, 'agent-j', 'moved', 'interval', '10m', '2026-02-01 11:59:30',
    '2026-02-01 11:55:00.000000', 1, '00000000-0000-4000-8000-000000000013', 'UTC',
    '2026-02-01 11:55:00.000000', 'active', '2026-02-01 12:05:00.000000', 1, 1);
INSERT INTO deleted_schedules VALUES ('00000000-0000-4000-8000-000000000015', 'agent-l', 'active',
    '2026-02-01 11:50:00.000000', 1, NULL);

INSERT INTO schedule_revisions (uid, from_at, schedule_type, schedule_value, timezone, anchor,
    first_instant, end_at, max_repetitions, ends_before, repetitions)
VALUES
    ('00000000-0000-4000-8000-000000000001', '2026-02-01 11:00:00.000000', 'interval', '10m',
     'UTC', '2026-02-01 11:00:00.000000', '2026-02-01 11:10:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000002', '2026-01-30 10:00:00.000000', 'cron', '0 8 * * *',
     'Europe/Berlin', '2026-01-30 10:00:00.000000', '2026-01-31 07:00:00.000000', NULL, NULL,
     '2026-02-01 07:00:00.000000', 0),
    ('00000000-0000-4000-8000-000000000002', '2026-01-31 12:00:00.000000', 'cron', '0 9 * * *',
     'Europe/Berlin', '2026-01-31 12:00:00.000000', '2026-02-01 08:00:00.000000', NULL, NULL, NULL,
     1),
    ('00000000-0000-4000-8000-000000000003', '2026-02-01 11:00:00.000000', 'once',
     '2026-02-01T13:00:00+00:00', 'UTC', '2026-02-01 11:00:00.000000',
     '2026-02-01 13:00:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000004', '2026-02-01 10:00:00.000000', 'once',
     '2026-02-01T11:00:00+00:00', 'UTC', '2026-02-01 10:00:00.000000',
     '2026-02-01 11:00:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000005', '2026-02-01 09:00:00.000000', 'once',
     '2026-02-01T10:00:00+00:00', 'UTC', '2026-02-01 09:00:00.000000',
     '2026-02-01 10:00:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000006', '2026-02-01 08:00:00.000000', 'interval', '1h',
     'UTC', '2026-02-01 08:00:00.000000', '2026-02-01 09:00:00.000000',
     '2026-03-01 00:00:00.000000', 5, NULL, 0),
    ('00000000-0000-4000-8000-000000000007', '2026-02-01 10:30:00.000000', 'interval', '30m',
     'UTC', '2026-02-01 10:30:00.000000', '2026-02-01 11:00:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000009', '2026-02-01 10:59:00.000000', 'interval', '1h',
     'UTC', '2026-02-01 10:59:00.000000', '2026-02-01 11:59:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000010', '2026-02-01 11:00:00.000000', 'once',
     '2026-02-01T11:58:00+00:00', 'UTC', '2026-02-01 11:00:00.000000',
     '2026-02-01 11:58:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000011', '2026-02-01 10:57:00.000000', 'interval', '1h',
     'UTC', '2026-02-01 10:57:00.000000', '2026-02-01 11:57:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000013', '2026-02-01 11:55:00.000000', 'interval', '10m',
     'UTC', '2026-02-01 11:55:00.000000', '2026-02-01 12:05:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000014', '2026-02-01 11:55:00.000000', 'cron', '30 * * * *',
     'UTC', '2026-02-01 11:55:00.000000', '2026-02-01 12:30:00.000000', NULL, NULL, NULL, 0),
    ('00000000-0000-4000-8000-000000000015', '2026-02-01 11:30:00.000000', 'interval', '10m',
     'UTC', '2026-02-01 11:30:00.000000', '2026-02-01 11:40:00.000000', NULL, NULL, NULL, 0);

INSERT INTO occurrences (id, uid, agent_id, "trigger", first_at, intended_at, count, state, reason,
    finished_at)
VALUES
    (3, '00000000-0000-4000-8000-000000000001', 'agent-a', 'schedule',
     '2026-02-01 11:30:00.000000', '2026-02-01 11:40:00.000000', 2, 'coalesced',
     'one prompt was sent for all of them', '2026-02-01 11:50:00.000000'),
    (5, '00000000-0000-4000-8000-000000000002', 'agent-b', 'schedule',
     '2026-01-31 07:00:00.000000', '2026-01-31 07:00:00.000000', 1, 'missed',
     'it was older than the grace', '2026-01-31 11:00:00.000000'),
    (12, '00000000-0000-4000-8000-000000000007', 'agent-e', 'schedule',
     '2026-02-01 11:30:00.000000', '2026-02-01 11:30:00.000000', 1, 'skipped',
     'the one before was still on its way', '2026-02-01 11:30:00.000000'),
    (13, '00000000-0000-4000-8000-000000000007', 'agent-e', 'manual',
     '2026-02-01 11:40:00.000000', '2026-02-01 11:40:00.000000', 1, 'cancelled',
     'the schedule was cancelled', '2026-02-01 11:45:00.000000');
INSERT INTO occurrences (id, uid, agent_id, "trigger", first_at, intended_at, state, lane, payload,
    fence, failures, expires_at, sent_at, finished_at, run_id, stop_reason, turn, tokens, reply,
    error, firing, stands_for, stands_since)
VALUES
    (4, '00000000-0000-4000-8000-000000000001', 'agent-a', 'schedule',
     '2026-02-01 11:50:00.000000', '2026-02-01 11:50:00.000000', 'delivered', 'letta/agent-a',
     'p1', 1, 0, '2026-02-02 11:50:00.000000', '2026-02-01 11:50:00.100000',
     '2026-02-01 11:50:02.000000', 'run-4', 'end_turn', 'ok', 15, 'yes', NULL, 5, 3,
     '2026-02-01 11:30:00.000000'),
    (6, '00000000-0000-4000-8000-000000000002', 'agent-b', 'schedule',
     '2026-02-01 08:00:00.000000', '2026-02-01 08:00:00.000000', 'delivered', 'letta/agent-b',
     NULL, 1, 0, NULL, '2026-02-01 08:00:00.100000', '2026-02-01 08:00:02.000000', 'run-6',
     'end_turn', 'ok', 15, NULL, NULL, 2, 1, NULL),
    (7, '00000000-0000-4000-8000-000000000004', 'agent-c', 'schedule',
     '2026-02-01 11:00:00.000000', '2026-02-01 11:00:00.000000', 'delivered', 'letta/agent-c',
     NULL, 1, 0, NULL, '2026-02-01 11:00:00.100000', '2026-02-01 11:00:02.000000', 'run-7',
     'end_turn', 'ok', 15, 'done', NULL, 1, 1, NULL),
    (8, '00000000-0000-4000-8000-000000000005', 'agent-d', 'schedule',
     '2026-02-01 10:00:00.000000', '2026-02-01 10:00:00.000000', 'dead', 'letta/agent-d', NULL, 2,
     1, '2026-02-02 10:00:00.000000', NULL, '2026-02-01 10:05:00.000000', NULL, NULL, NULL, NULL,
     NULL, 'agent_unknown: there is no such agent', 1, 1, NULL),
    (9, '00000000-0000-4000-8000-000000000006', 'agent-e', 'schedule',
     '2026-02-01 09:00:00.000000', '2026-02-01 09:00:00.000000', 'delivered', 'letta/agent-e',
     NULL, 1, 0, NULL, '2026-02-01 09:00:00.100000', '2026-02-01 09:00:02.000000', 'run-9',
     'end_turn', 'ok', 15, NULL, NULL, 1, 1, NULL),
    (10, '00000000-0000-4000-8000-000000000006', 'agent-e', 'schedule',
     '2026-02-01 10:00:00.000000', '2026-02-01 10:00:00.000000', 'delivered', 'letta/agent-e',
     NULL, 1, 0, NULL, '2026-02-01 10:00:00.100000', '2026-02-01 10:00:02.000000', 'run-10',
     'end_turn', 'failed', 15, NULL, NULL, 2, 1, NULL),
    (11, '00000000-0000-4000-8000-000000000007', 'agent-e', 'schedule',
     '2026-02-01 11:00:00.000000', '2026-02-01 11:00:00.000000', 'delivered', 'letta/agent-e',
     NULL, 1, 0, NULL, '2026-02-01 11:00:00.100000', '2026-02-01 11:00:02.000000', 'run-11',
     'end_turn', 'ok', 15, NULL, NULL, 1, 1, NULL),
    (18, '00000000-0000-4000-8000-000000000015', 'agent-l', 'schedule',
     '2026-02-01 11:40:00.000000', '2026-02-01 11:40:00.000000', 'delivered', 'letta/agent-l',
     NULL, 1, 0, NULL, '2026-02-01 11:40:00.100000', '2026-02-01 11:40:02.000000', 'run-18',
     'end_turn', 'ok', 15, NULL, NULL, 1, 1, NULL);
INSERT INTO occurrences (id, uid, agent_id, "trigger", first_at, intended_at, state, lane, payload,
    not_before, owner, fence, failures, expires_at, reconcile_until, sent_at, run_id, firing)
VALUES
    (14, '00000000-0000-4000-8000-000000000009', 'agent-f', 'schedule',
     '2026-02-01 11:59:00.000000', '2026-02-01 11:59:00.000000', 'sending', 'letta/agent-f', 'p1',
     NULL, 'f0000000-0000-4000-8000-000000000000', 1, 0, '2026-02-02 11:59:00.000000', NULL,
     '2026-02-01 11:59:00.200000', 'run-14', 1),
    (15, '00000000-0000-4000-8000-000000000010', 'agent-g', 'schedule',
     '2026-02-01 11:58:00.000000', '2026-02-01 11:58:00.000000', 'unknown', 'letta/agent-g', 'p1',
     '2026-02-01 11:59:30.000000', NULL, 2, 0, '2026-02-02 11:58:00.000000',
     '2026-02-01 12:58:00.000000', '2026-02-01 11:58:00.200000', NULL, 1),
    (16, '00000000-0000-4000-8000-000000000011', 'agent-h', 'schedule',
     '2026-02-01 11:57:00.000000', '2026-02-01 11:57:00.000000', 'waiting', 'letta/agent-h', 'p1',
     '2026-02-01 12:00:30.000000', NULL, 1, 1, '2026-02-02 11:57:00.000000', NULL, NULL, NULL, 1),
    (17, '00000000-0000-4000-8000-000000000003', 'agent-c', 'manual',
     '2026-02-01 11:59:30.000000', '2026-02-01 11:59:30.000000', 'waiting', 'letta/agent-c', 'p1',
     '2026-02-01 11:59:30.000000', NULL, 0, 0, NULL, NULL, NULL, NULL, NULL);

INSERT INTO attempts (occurrence_id, n, otid, envelope, started_at, finished_at, error_code, error,
    run_id)
VALUES
    (4, 1, 'a0000000-0000-4000-8000-000000000041', '[tick, 5th]', '2026-02-01 11:50:00.000000',
     '2026-02-01 11:50:02.000000', NULL, NULL, 'run-4'),
    (8, 1, 'a0000000-0000-4000-8000-000000000081', NULL, '2026-02-01 10:00:00.000000',
     '2026-02-01 10:00:01.000000', 'letta_unreachable', 'connection refused', NULL),
    (8, 2, 'a0000000-0000-4000-8000-000000000081', NULL, '2026-02-01 10:05:00.000000',
     '2026-02-01 10:05:00.100000', 'agent_unknown', 'there is no such agent', NULL),
    (14, 1, 'a0000000-0000-4000-8000-000000000141', NULL, '2026-02-01 11:59:00.100000', NULL, NULL,
     NULL, 'run-14'),
    (15, 1, 'a0000000-0000-4000-8000-000000000151', NULL, '2026-02-01 11:58:00.100000',
     '2026-02-01 11:58:30.000000', 'unknown', 'the connection broke', NULL),
    (16, 1, 'a0000000-0000-4000-8000-000000000161', NULL, '2026-02-01 11:57:00.100000',
     '2026-02-01 11:57:01.000000', 'rate_limited', 'slow down', NULL);
INSERT INTO pruned_sums (uid, "trigger", state, early, count, first_at, last_at)
VALUES
    ('00000000-0000-4000-8000-000000000001', 'schedule', 'delivered', 0, 2,
     '2026-02-01 11:10:00.000000', '2026-02-01 11:20:00.000000'),
    ('00000000-0000-4000-8000-000000000001', 'manual', 'delivered', 0, 1,
     '2026-02-01 11:15:00.000000', '2026-02-01 11:15:00.000000');

INSERT INTO schedulers VALUES ('f0000000-0000-4000-8000-000000000000', 4242,
    '2026-02-01 11:00:00.000000', '2026-02-01 11:59:55.000000', NULL);
INSERT INTO held_targets VALUES
    ('letta', '2026-02-01 11:59:40.000000', 'letta_unreachable', 'connection refused');
INSERT INTO halt VALUES (1, '2026-02-01 11:59:50.000000', 'for the move');
INSERT INTO incidents (kind, subject, occurrence_id, code, reason, count, opened_at, closed_at,
    outcome, told)
VALUES
    ('dead', '00000000-0000-4000-8000-000000000005', 8, 'agent_unknown', 'there is no such agent',
     1, '2026-02-01 10:05:00.000000', NULL, NULL, 1),
    ('held', 'letta', NULL, 'letta_unreachable', 'connection refused', 3,
     '2026-02-01 09:30:00.000000', '2026-02-01 09:40:00.000000', 'it answers again', 1),
    ('held', 'letta', NULL, 'letta_unreachable', 'connection refused', 1,
     '2026-02-01 11:59:40.000000', NULL, NULL, 0),
    ('broken', '00000000-0000-4000-8000-000000000008', NULL, NULL, 'the pattern has no instant', 1,
     '2026-02-01 11:00:00.000000', NULL, NULL, 1);
INSERT INTO channels VALUES ('url', '2026-02-08 12:00:00.000000');
INSERT INTO outbox (id, channel, lane, kind, event, body, created_at, not_before, expires_at, tries,
    lease_until, error, given_up_at)
VALUES
    (1, 'url', 'incident:1', 'dead', 'opened', '{"n":1}', '2026-02-01 10:05:00.000000',
     '2026-02-01 11:30:00.000000', '2026-02-02 10:05:00.000000', 3, NULL, 'status 503', NULL),
    (2, 'url', 'incident:2', 'held', 'opened', '{"n":2}', '2026-02-01 09:30:00.000000',
     '2026-02-01 09:30:00.000000', '2026-02-02 09:30:00.000000', 9, '2026-02-01 09:31:00.000000',
     'status 404', '2026-02-01 09:35:00.000000'),
    (3, 'url', 'incident:2', 'held', 'closed', '{"n":3}', '2026-02-01 09:40:00.000000',
     '2026-02-01 09:40:00.000000', '2026-02-02 09:40:00.000000', 0, NULL, NULL, NULL),
    (4, 'url', 'incident:4', 'broken', 'opened', '{"n":4}', '2026-02-01 11:00:00.000000',
     '2026-02-01 11:00:00.000000', '2026-02-02 11:00:00.000000', 0, '2026-02-01 11:59:58.000000',
     NULL, NULL);
INSERT INTO keys (name, agent_id, hash, created_at, revoked_at)
VALUES ('mine', NULL, 'aa', '2026-01-15 08:00:00.000000', NULL),
       ('agent', 'agent-a', 'bb', '2026-01-16 08:00:00.000000', NULL),
       ('gone', 'agent-b', 'cc', '2026-01-17 08:00:00.000000', '2026-01-18 08:00:00.000000');
INSERT INTO requests (caller, key, hash, created_at, effect, status, body)
VALUES ('operator', 'k1', 'h1', '2026-02-01 11:00:00.000000', 1, 201, '{"id":1}'),
       ('agent-a', 'k2', 'h2', '2026-02-01 11:59:59.000000', NULL, NULL, NULL);
