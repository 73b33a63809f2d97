-- Why: time limits run in working days, and which days are working days is decided by the State
-- Council year by year. A day that is not here is unknown, never guessed.
CREATE TABLE work_calendar (
    day date PRIMARY KEY,
    is_working boolean NOT NULL,
    imported_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON work_calendar TO creditplus_app;
