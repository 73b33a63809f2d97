-- Why: what a programme may cost, as a whole, by partner, day, month and citizen. An amount is reserved
-- before it is promised, settled when it is spent and released when it isn't; the CHECKs are the last
-- word against overspending, the conditional UPDATEs ask them politely.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file require-concurrent-index-creation
CREATE TABLE budget (
    programme_code text NOT NULL REFERENCES programme (programme_code),
    -- What `bucket` names: nothing (''), a partner's id, a day (2026-11-24) or a month (2026-11).
    span text NOT NULL CHECK (span IN ('programme', 'partner', 'day', 'month')),
    bucket text NOT NULL,
    -- Null is no limit. Uses are reservations that weren't given back.
    limit_fen bigint CHECK (limit_fen >= 0),
    limit_uses bigint CHECK (limit_uses >= 0),
    reserved_fen bigint NOT NULL DEFAULT 0 CHECK (reserved_fen >= 0),
    settled_fen bigint NOT NULL DEFAULT 0 CHECK (settled_fen >= 0),
    uses bigint NOT NULL DEFAULT 0 CHECK (uses >= 0),
    -- Rises by one with every change: its history has no gap.
    revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    PRIMARY KEY (programme_code, span, bucket),
    CHECK (reserved_fen + settled_fen <= limit_fen),
    CHECK (uses <= limit_uses),
    CHECK ((span = 'programme') = (bucket = ''))
);

-- Whoever changes a balance of a programme holds this row of it, so it is there from the beginning.
INSERT INTO budget (programme_code, span, bucket) SELECT programme_code, 'programme', '' FROM programme;

-- The same for one citizen in one programme. The limit is that of the version the citizen's own
-- enrolment was made under.
CREATE TABLE citizen_budget (
    subject_id uuid NOT NULL,
    programme_code text NOT NULL,
    limit_fen bigint CHECK (limit_fen >= 0),
    limit_uses bigint CHECK (limit_uses >= 0),
    reserved_fen bigint NOT NULL DEFAULT 0 CHECK (reserved_fen >= 0),
    settled_fen bigint NOT NULL DEFAULT 0 CHECK (settled_fen >= 0),
    uses bigint NOT NULL DEFAULT 0 CHECK (uses >= 0),
    PRIMARY KEY (subject_id, programme_code),
    CHECK (reserved_fen + settled_fen <= limit_fen),
    CHECK (uses <= limit_uses)
);

CREATE TABLE reservation (
    subject_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    programme_code text NOT NULL,
    partner_id uuid NOT NULL,
    -- The buckets it counts in are those of the day it was made.
    day date NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen >= 0),
    settled_fen bigint CHECK (settled_fen BETWEEN 0 AND amount_fen),
    state text NOT NULL CHECK (state IN ('reserved', 'settled', 'released', 'expired')),
    created_at timestamptz NOT NULL,
    -- Null is none: it lasts as long as what it was made for.
    expires_at timestamptz,
    closed_at timestamptz,
    PRIMARY KEY (subject_id, reservation_id),
    CHECK ((state = 'settled') = (settled_fen IS NOT NULL)),
    CHECK ((state = 'reserved') = (closed_at IS NULL))
);

CREATE INDEX reservation_expires_at ON reservation (expires_at) WHERE state = 'reserved';

-- Why each balance changed, append-only: what changed, and the balances after it, so that each balance
-- is the sum of its changes. Limits are those after the change. No citizen is named.
CREATE TABLE budget_entry (
    programme_code text NOT NULL,
    span text NOT NULL,
    bucket text NOT NULL,
    revision bigint NOT NULL CHECK (revision >= 1),
    kind text NOT NULL
    CHECK (kind IN ('limit', 'refill', 'reserve', 'lower', 'settle', 'release', 'expire')),
    reserved_change_fen bigint NOT NULL,
    settled_change_fen bigint NOT NULL,
    uses_change bigint NOT NULL,
    limit_fen bigint,
    limit_uses bigint,
    reserved_fen bigint NOT NULL,
    settled_fen bigint NOT NULL,
    uses bigint NOT NULL,
    reservation_id uuid,
    by_whom text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (programme_code, span, bucket, revision),
    CHECK ((kind IN ('limit', 'refill')) = (reservation_id IS NULL))
);

CREATE TRIGGER budget_entry_keeps_rows BEFORE UPDATE OR DELETE ON budget_entry
FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();

CREATE TRIGGER budget_entry_keeps_all BEFORE TRUNCATE ON budget_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

GRANT SELECT, INSERT, UPDATE ON budget TO creditplus_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON citizen_budget TO creditplus_app;
GRANT SELECT, INSERT, DELETE ON reservation TO creditplus_app;
GRANT UPDATE (amount_fen, settled_fen, state, closed_at, expires_at) ON reservation TO creditplus_app;
GRANT SELECT, INSERT ON budget_entry TO creditplus_app;
