-- A schedule may send a whole request of its own, with several messages, roles and images. Its
-- prompt_text is then only a rendering for people.
ALTER TABLE schedules ADD COLUMN payload TEXT REFERENCES payloads (hash);
CREATE INDEX ix_schedules_payload ON schedules (payload) WHERE payload IS NOT NULL;

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
