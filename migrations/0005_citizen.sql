-- Citizens: accounts, how they sign in, and whether they take part.
--
-- Nothing here can be read back into a phone number, name or national id without the service's
-- keys: what is looked up is a keyed digest, what is shown is sealed under the citizen's own data
-- key. Deleting the row of an account, or of a participation, destroys the key kept in it.

CREATE TABLE account (
    subject_id uuid PRIMARY KEY,
    data_key bytea NOT NULL,
    phone_sealed bytea NOT NULL,
    name_sealed bytea NOT NULL,
    national_id_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- Found by the digest of a phone before the citizen is known, so keyed by it; no foreign key to
-- account, which is spread over the city's database by subject. The transaction that deletes an
-- account deletes its entry.
CREATE TABLE phone_directory (
    phone_hash bytea PRIMARY KEY CHECK (octet_length(phone_hash) = 32),
    subject_id uuid NOT NULL
);
CREATE UNIQUE INDEX phone_directory_subject ON phone_directory (subject_id);

CREATE TABLE session (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    subject_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('app', 'web')),
    -- RFC 7638 thumbprint of the install's key; a browser's session is held by its cookie alone.
    jkt text CHECK ((jkt IS NOT NULL) = (kind = 'app')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at >= created_at),
    ended_at timestamptz
);
CREATE INDEX session_subject ON session (subject_id);
CREATE INDEX session_expiry ON session (expires_at);

-- One code a phone: a new one replaces the old one.
CREATE TABLE sign_in_code (
    phone_hash bytea PRIMARY KEY CHECK (octet_length(phone_hash) = 32),
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    sent_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > sent_at),
    consumed_at timestamptz
);
CREATE INDEX sign_in_code_expiry ON sign_in_code (expires_at);

-- Wrong codes and sent codes, counted for a phone, a device or an address by their keyed digest.
-- In PostgreSQL, because a limit on guessing must not fall away when a cache does. The moments
-- themselves are kept (never more than the limit), so the window is exact.
CREATE TABLE sign_in_try (
    counter_hash bytea PRIMARY KEY CHECK (octet_length(counter_hash) = 32),
    tried_at timestamptz[] NOT NULL CHECK (cardinality(tried_at) <= 100),
    touched_at timestamptz NOT NULL
);
CREATE INDEX sign_in_try_touched ON sign_in_try (touched_at);

-- The row exists exactly while the citizen takes part.
CREATE TABLE participation (
    subject_id uuid PRIMARY KEY REFERENCES account (subject_id),
    data_key bytea NOT NULL,
    notice_version text NOT NULL,
    joined_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE
ON account, phone_directory, session, sign_in_code, sign_in_try, participation
TO creditplus_app;
