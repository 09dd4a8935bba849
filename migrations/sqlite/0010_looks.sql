-- Whether anything of a schedule is open is asked with each claim; its whole history is no answer.
CREATE INDEX ix_occurrences_open_uid ON occurrences (uid)
    WHERE state IN ('waiting', 'sending', 'unknown');

-- Whatever another program writes into it but 0, the row is not adopted yet.
DROP INDEX IF EXISTS ix_schedules_touched;
CREATE INDEX ix_schedules_touched ON schedules (id) WHERE touched <> 0;
