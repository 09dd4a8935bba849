-- Since when, and why, a schedule is paused.
ALTER TABLE schedules ADD COLUMN paused_at DATETIME;
ALTER TABLE schedules ADD COLUMN pause_note TEXT;
