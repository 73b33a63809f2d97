-- Why: a person looks at what a machine said (个人信息保护法 24), and at what a citizen contests, within
-- a time the law or the city sets. What the citizen wrote is sealed under the key of the account.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file require-concurrent-index-creation
CREATE TABLE review_case (
    subject_id uuid NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('not_yet', 'obligation')),
    -- What it is about: a programme's code, or an obligation's id.
    object text NOT NULL,
    text_sealed bytea,
    state text NOT NULL CHECK (state IN ('open', 'decided', 'withdrawn')),
    opened_at timestamptz NOT NULL,
    -- The last working day on which it has to be decided.
    due_on date NOT NULL,
    taken_by text,
    outcome text CHECK (outcome IN ('upheld', 'changed')),
    answer_zh text,
    answer_en text,
    decided_by text,
    decided_at timestamptz,
    PRIMARY KEY (subject_id, case_id),
    CHECK ((state = 'decided') = (outcome IS NOT NULL)),
    CHECK ((state = 'decided') = (decided_by IS NOT NULL)),
    CHECK ((state = 'decided') = (decided_at IS NOT NULL))
);

-- One open case about one thing.
CREATE UNIQUE INDEX review_case_open ON review_case (subject_id, kind, object) WHERE state = 'open';
CREATE INDEX review_case_queue ON review_case (due_on, case_id) WHERE state = 'open';
-- An operator has the case's id alone. Not unique: no unique index leaves the subject out.
CREATE INDEX review_case_id ON review_case (case_id);
CREATE INDEX review_case_ended ON review_case (due_on) WHERE state <> 'open';

GRANT SELECT, INSERT, DELETE ON review_case TO creditplus_app;
GRANT UPDATE (
    state, taken_by, outcome, answer_zh, answer_en, decided_by, decided_at, text_sealed
) ON review_case TO creditplus_app;
