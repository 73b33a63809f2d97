-- Why: partners are told what happened to what they hold, at an address that has shown to be theirs.
-- Each message goes to each endpoint at least once, in order for one object, and what was sent and
-- answered is kept for the partner to look at. Payloads hold ids and links only.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file require-concurrent-index-creation
CREATE TABLE webhook_endpoint (
    endpoint_id uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partner (partner_id),
    url text NOT NULL,
    topics text [] NOT NULL CHECK (cardinality(topics) >= 1),
    scheme text NOT NULL CHECK (scheme IN ('hmac', 'ed25519')),
    -- The secrets that sign, newest first, each with its end; sealed for the service.
    secrets_sealed bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('unverified', 'active', 'paused')),
    pause_reason text CHECK (pause_reason IN ('failing', 'gone', 'partner', 'operator')),
    -- Since when every try has failed; null after a success.
    failing_since timestamptz,
    probed_at timestamptz,
    -- Whether the last probe, which was wrongly signed, was taken all the same: a receiver's fault.
    probe_accepted boolean,
    created_at timestamptz NOT NULL,
    verified_at timestamptz,
    CHECK ((state = 'paused') = (pause_reason IS NOT NULL)),
    CHECK (state = 'unverified' OR verified_at IS NOT NULL)
);

CREATE INDEX webhook_endpoint_partner_id ON webhook_endpoint (partner_id);

CREATE TABLE webhook_delivery (
    delivery_id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoint (endpoint_id) ON DELETE CASCADE,
    partner_id uuid NOT NULL,
    -- `webhook-id` of Standard Webhooks: the same in every try and every replay of a message.
    message_id uuid NOT NULL,
    topic text NOT NULL,
    object_id uuid NOT NULL,
    -- Deliveries of one object to one endpoint go out in this order.
    sequence bigint NOT NULL,
    body bytea NOT NULL,
    kind text NOT NULL CHECK (kind IN ('event', 'replay', 'probe', 'ownership')),
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'abandoned')),
    tries bigint NOT NULL DEFAULT 0 CHECK (tries >= 0),
    -- When it may be tried next; pushed forward by whoever takes it, so that a worker that dies
    -- leaves it to the others.
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK ((state = 'pending') = (ended_at IS NULL))
);

-- What is due is looked for endpoint by endpoint: one that rests costs the others nothing.
CREATE INDEX webhook_delivery_due_at ON webhook_delivery (endpoint_id, due_at)
WHERE state = 'pending';
CREATE INDEX webhook_delivery_object ON webhook_delivery (endpoint_id, object_id, sequence)
WHERE state = 'pending';
CREATE INDEX webhook_delivery_partner ON webhook_delivery (partner_id, delivery_id);
CREATE INDEX webhook_delivery_endpoint ON webhook_delivery (endpoint_id, delivery_id);
CREATE INDEX webhook_delivery_ended_at ON webhook_delivery (ended_at);
CREATE UNIQUE INDEX webhook_delivery_event ON webhook_delivery (endpoint_id, message_id)
WHERE kind = 'event';

CREATE TABLE webhook_try (
    delivery_id uuid NOT NULL REFERENCES webhook_delivery (delivery_id) ON DELETE CASCADE,
    number bigint NOT NULL CHECK (number >= 1),
    at timestamptz NOT NULL,
    duration_ms bigint NOT NULL CHECK (duration_ms >= 0),
    -- Heads only: names and values, signatures and secrets left out.
    request_head jsonb NOT NULL,
    status bigint,
    response_head jsonb,
    -- Why there was no answer, or why it doesn't count; null when it was taken.
    fault text,
    PRIMARY KEY (delivery_id, number)
);

-- A message about an object waits for those before it that aren't carried out yet.
CREATE INDEX outbox_object ON outbox ((payload ->> 'object_id')) WHERE done_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoint TO creditplus_app;
GRANT SELECT, INSERT, DELETE ON webhook_delivery TO creditplus_app;
GRANT UPDATE (state, tries, due_at, ended_at) ON webhook_delivery TO creditplus_app;
GRANT SELECT, INSERT, DELETE ON webhook_try TO creditplus_app;
