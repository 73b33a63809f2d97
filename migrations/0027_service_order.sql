-- Why: a citizen uses a benefit at a partner: a deposit that isn't asked for, a ride that is paid later.
-- The order holds how much credit stands for, until it is completed, cancelled or has expired.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file require-concurrent-index-creation
CREATE TABLE service_order (
    subject_id uuid NOT NULL,
    order_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    client_id text NOT NULL,
    consent_id uuid NOT NULL,
    programme_code text NOT NULL,
    programme_version bigint NOT NULL,
    decision_id uuid NOT NULL,
    -- Another one when the first had run out before the citizen confirmed.
    reservation_id uuid NOT NULL,
    -- The partner's own number of it.
    reference text NOT NULL,
    state text NOT NULL
    CHECK (state IN ('created', 'active', 'completed', 'cancelled', 'expired')),
    confirmed_by text CHECK (confirmed_by IN ('citizen', 'consent')),
    -- What was at risk when it was opened, what is now, and the part that credit stands for; the
    -- rest is the citizen's own money. Amounts only go down.
    opened_fen bigint NOT NULL,
    -- Whether the partner took a part too: asked again under its number, it asks for the same.
    accepts_partial boolean NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen BETWEEN 1 AND opened_fen),
    credit_fen bigint NOT NULL CHECK (credit_fen BETWEEN 1 AND amount_fen),
    settled_fen bigint CHECK (settled_fen BETWEEN 0 AND credit_fen),
    performance text CHECK (performance IN ('performed', 'open_obligation', 'nothing_owed')),
    -- Rises by one with every change: events of one order are told in this order.
    revision bigint NOT NULL CHECK (revision >= 1),
    created_at timestamptz NOT NULL,
    confirm_by timestamptz NOT NULL,
    activated_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (subject_id, order_id),
    CHECK ((activated_at IS NOT NULL) = (confirmed_by IS NOT NULL)),
    CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'cancelled', 'expired'))),
    CHECK ((settled_fen IS NOT NULL) = (state = 'completed')),
    CHECK (performance IS NULL OR state = 'completed')
);

-- A partner's number names one order of a citizen.
CREATE UNIQUE INDEX service_order_reference ON service_order (subject_id, partner_id, reference);
CREATE INDEX service_order_partner ON service_order (partner_id, order_id);
CREATE INDEX service_order_confirm_by ON service_order (confirm_by) WHERE state = 'created';

-- How much credit stands for a citizen in all orders that run; bounded by what the tier allows.
CREATE TABLE exposure (
    subject_id uuid PRIMARY KEY,
    open_fen bigint NOT NULL CHECK (open_fen >= 0)
);

-- What a partner says is still owed under a completed order. It is announced first; it stands only
-- after the waiting period, is seen by that partner and the citizen alone, and goes when it is paid or
-- withdrawn (征信业管理条例 15).
CREATE TABLE obligation (
    subject_id uuid NOT NULL,
    obligation_id uuid NOT NULL,
    order_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen >= 1),
    state text NOT NULL CHECK (state IN ('announced', 'contested', 'standing')),
    announced_at timestamptz NOT NULL,
    -- The first day on which it stands if nobody contests it.
    stands_on date NOT NULL,
    reply_kind text CHECK (reply_kind IN ('will_pay', 'contested')),
    reply_sealed bytea,
    replied_at timestamptz,
    case_id uuid,
    revision bigint NOT NULL CHECK (revision >= 1),
    PRIMARY KEY (subject_id, obligation_id),
    CHECK ((reply_kind IS NOT NULL) = (replied_at IS NOT NULL))
);

CREATE UNIQUE INDEX obligation_order ON obligation (subject_id, order_id);
CREATE INDEX obligation_stands_on ON obligation (stands_on) WHERE state = 'announced';
CREATE INDEX obligation_partner ON obligation (partner_id, obligation_id);

GRANT SELECT, INSERT, DELETE ON service_order TO creditplus_app;
GRANT UPDATE (
    reservation_id, state, confirmed_by, amount_fen, credit_fen, settled_fen, performance, revision,
    activated_at, ended_at
) ON service_order TO creditplus_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON exposure, obligation TO creditplus_app;
