-- Why: every look at a citizen leaves a trace the citizen sees, and nobody can change or remove it.
-- The application may only read and insert; the triggers stop the owner of the table as well.
-- Names and purposes are written as they were at that moment: a partner renamed later must not
-- change what the citizen was told.
CREATE TABLE access_entry (
    subject_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('partner', 'lender', 'operator', 'service')),
    actor_id text NOT NULL,
    actor_name_zh text NOT NULL,
    actor_name_en text NOT NULL,
    action text NOT NULL,
    data_kinds text [] NOT NULL,
    purpose text NOT NULL,
    purpose_zh text NOT NULL,
    purpose_en text NOT NULL,
    consent_id uuid,
    programme_code text,
    decision_id uuid,
    disclosed text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, entry_id)
);

CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the access ledger is append-only' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER access_entry_keeps_rows BEFORE UPDATE OR DELETE ON access_entry
FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();

CREATE TRIGGER access_entry_keeps_all BEFORE TRUNCATE ON access_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

GRANT SELECT, INSERT ON access_entry TO creditplus_app;
