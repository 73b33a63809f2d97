--
-- PostgreSQL database dump
--

\restrict creditplus

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: refuse_ledger_change(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refuse_ledger_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the access ledger is append-only' USING ERRCODE = 'restrict_violation';
END
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: access_entry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.access_entry (
    subject_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    actor_name_zh text NOT NULL,
    actor_name_en text NOT NULL,
    action text NOT NULL,
    data_kinds text[] NOT NULL,
    purpose text NOT NULL,
    purpose_zh text NOT NULL,
    purpose_en text NOT NULL,
    consent_id uuid,
    programme_code text,
    decision_id uuid,
    disclosed text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT access_entry_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['partner'::text, 'lender'::text, 'operator'::text, 'service'::text])))
);


--
-- Name: account; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account (
    subject_id uuid NOT NULL,
    data_key bytea NOT NULL,
    phone_sealed bytea NOT NULL,
    name_sealed bytea NOT NULL,
    national_id_sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: catalogue_edition; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.catalogue_edition (
    edition text NOT NULL,
    document text NOT NULL,
    sources text NOT NULL,
    digest bytea NOT NULL,
    published_by text NOT NULL,
    published_at timestamp with time zone NOT NULL,
    CONSTRAINT catalogue_edition_digest_check CHECK ((octet_length(digest) = 32))
);


--
-- Name: client; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.client (
    client_id text NOT NULL,
    partner_id uuid NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    jwks jsonb NOT NULL,
    redirect_uris text[] NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    suspended_at timestamp with time zone,
    CONSTRAINT client_redirect_uris_check CHECK (((cardinality(redirect_uris) >= 0) AND (cardinality(redirect_uris) <= 10))),
    CONSTRAINT client_scopes_check CHECK ((cardinality(scopes) >= 1))
);


--
-- Name: consent; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.consent (
    subject_id uuid NOT NULL,
    consent_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    client_id text NOT NULL,
    purpose text NOT NULL,
    programme_code text NOT NULL,
    detail jsonb NOT NULL,
    detail_hash bytea NOT NULL,
    given_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT consent_check CHECK ((expires_at > given_at)),
    CONSTRAINT consent_check1 CHECK (((ended_at IS NULL) = (end_reason IS NULL))),
    CONSTRAINT consent_detail_hash_check CHECK ((octet_length(detail_hash) = 32)),
    CONSTRAINT consent_end_reason_check CHECK ((end_reason = ANY (ARRAY['withdrawn'::text, 'expired'::text, 'replaced'::text, 'left'::text])))
);


--
-- Name: consent_refusal; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.consent_refusal (
    subject_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    purpose text NOT NULL,
    refused_at timestamp with time zone NOT NULL,
    cooldown_until timestamp with time zone NOT NULL,
    CONSTRAINT consent_refusal_check CHECK ((cooldown_until >= refused_at))
);


--
-- Name: decision; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.decision (
    subject_id uuid NOT NULL,
    decision_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    client_id text NOT NULL,
    consent_id uuid NOT NULL,
    programme_code text NOT NULL,
    programme_version bigint NOT NULL,
    eligible boolean NOT NULL,
    facts_digest bytea NOT NULL,
    trace_sealed bytea,
    decided_at timestamp with time zone NOT NULL,
    valid_until timestamp with time zone,
    day date NOT NULL,
    look_number bigint NOT NULL,
    CONSTRAINT decision_check CHECK ((eligible = (valid_until IS NOT NULL))),
    CONSTRAINT decision_facts_digest_check CHECK ((octet_length(facts_digest) = 32)),
    CONSTRAINT decision_look_number_check CHECK ((look_number >= 1))
);


--
-- Name: ended_number; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ended_number (
    source_code text NOT NULL,
    external_id text NOT NULL,
    version bigint NOT NULL,
    forget_on date,
    CONSTRAINT ended_number_version_check CHECK ((version >= 1))
);


--
-- Name: enrolment; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.enrolment (
    subject_id uuid NOT NULL,
    enrolment_id uuid NOT NULL,
    programme_code text NOT NULL,
    programme_version bigint NOT NULL,
    enrolled_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT enrolment_check CHECK (((ended_at IS NULL) = (end_reason IS NULL))),
    CONSTRAINT enrolment_end_reason_check CHECK ((end_reason = 'left'::text))
);


--
-- Name: idempotency_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.idempotency_key (
    owner_id uuid NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    answer bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: oauth_access_token; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.oauth_access_token (
    token_hash bytea NOT NULL,
    grant_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    audience text NOT NULL,
    scopes text[] NOT NULL,
    dpop_jkt text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT oauth_access_token_check CHECK ((expires_at <= (created_at + '00:10:00'::interval))),
    CONSTRAINT oauth_access_token_token_hash_check CHECK ((octet_length(token_hash) = 32))
);


--
-- Name: oauth_client_token; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.oauth_client_token (
    token_hash bytea NOT NULL,
    client_id text NOT NULL,
    audience text NOT NULL,
    scopes text[] NOT NULL,
    dpop_jkt text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT oauth_client_token_check CHECK ((expires_at <= (created_at + '00:10:00'::interval))),
    CONSTRAINT oauth_client_token_token_hash_check CHECK ((octet_length(token_hash) = 32))
);


--
-- Name: oauth_code; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.oauth_code (
    code_hash bytea NOT NULL,
    grant_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    code_challenge text NOT NULL,
    dpop_jkt text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    kept_until timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT oauth_code_check CHECK ((expires_at <= (created_at + '00:01:00'::interval))),
    CONSTRAINT oauth_code_check1 CHECK ((kept_until >= expires_at)),
    CONSTRAINT oauth_code_code_hash_check CHECK ((octet_length(code_hash) = 32))
);


--
-- Name: oauth_grant; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.oauth_grant (
    grant_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    partner_id uuid NOT NULL,
    consent_id uuid,
    pairwise_subject text NOT NULL,
    scopes text[] NOT NULL,
    details jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT oauth_grant_check CHECK ((expires_at > created_at))
);


--
-- Name: oauth_refresh_token; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.oauth_refresh_token (
    token_hash bytea NOT NULL,
    grant_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    audience text NOT NULL,
    dpop_jkt text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT oauth_refresh_token_check CHECK ((expires_at <= (created_at + '90 days'::interval))),
    CONSTRAINT oauth_refresh_token_token_hash_check CHECK ((octet_length(token_hash) = 32))
);


--
-- Name: oauth_request; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.oauth_request (
    request_hash bytea NOT NULL,
    client_id text NOT NULL,
    parameters jsonb NOT NULL,
    dpop_jkt text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decide_by timestamp with time zone NOT NULL,
    begun_at timestamp with time zone,
    consumed_at timestamp with time zone,
    CONSTRAINT oauth_request_check CHECK ((expires_at <= (created_at + '00:10:00'::interval))),
    CONSTRAINT oauth_request_check1 CHECK ((decide_by >= expires_at)),
    CONSTRAINT oauth_request_request_hash_check CHECK ((octet_length(request_hash) = 32))
);


--
-- Name: outbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.outbox (
    event_id uuid NOT NULL,
    topic text NOT NULL,
    subject_id uuid,
    payload jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    handed_at timestamp with time zone,
    done_at timestamp with time zone
);


--
-- Name: participation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.participation (
    subject_id uuid NOT NULL,
    data_key bytea NOT NULL,
    notice_version text NOT NULL,
    joined_at timestamp with time zone NOT NULL
);


--
-- Name: partner; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.partner (
    partner_id uuid NOT NULL,
    code text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    suspended_at timestamp with time zone,
    source_code text,
    CONSTRAINT partner_kind_check CHECK ((kind = ANY (ARRAY['merchant'::text, 'lender'::text, 'source'::text]))),
    CONSTRAINT partner_source_check CHECK (((kind = 'source'::text) = (source_code IS NOT NULL)))
);


--
-- Name: phone_directory; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.phone_directory (
    phone_hash bytea NOT NULL,
    subject_id uuid NOT NULL,
    CONSTRAINT phone_directory_phone_hash_check CHECK ((octet_length(phone_hash) = 32))
);


--
-- Name: programme; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.programme (
    programme_code text NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    document jsonb NOT NULL,
    digest bytea NOT NULL,
    published_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT programme_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT programme_version_check CHECK ((version >= 1))
);


--
-- Name: programme_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.programme_version (
    programme_code text NOT NULL,
    version bigint NOT NULL,
    document jsonb NOT NULL,
    digest bytea NOT NULL,
    published_at timestamp with time zone NOT NULL,
    CONSTRAINT programme_version_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT programme_version_version_check CHECK ((version >= 1))
);


--
-- Name: purged_record; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.purged_record (
    purge_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    class_code text NOT NULL,
    source_code text NOT NULL,
    record_digest bytea NOT NULL,
    CONSTRAINT purged_record_ordinal_check CHECK ((ordinal >= 0)),
    CONSTRAINT purged_record_record_digest_check CHECK ((octet_length(record_digest) = 32))
);


--
-- Name: record; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.record (
    subject_id uuid NOT NULL,
    record_id uuid NOT NULL,
    class_code text NOT NULL,
    source_code text NOT NULL,
    external_id text NOT NULL,
    version bigint NOT NULL,
    quantity bigint NOT NULL,
    occurred_on date NOT NULL,
    ended_on date,
    ends_on date,
    submission_id uuid NOT NULL,
    reported_at timestamp with time zone NOT NULL,
    action text DEFAULT 'report'::text NOT NULL,
    superseded_at timestamp with time zone,
    disputed_at timestamp with time zone,
    repaired_at timestamp with time zone,
    fingerprint bigint NOT NULL,
    CONSTRAINT record_action_check CHECK ((action = ANY (ARRAY['report'::text, 'withdraw'::text, 'repair'::text]))),
    CONSTRAINT record_quantity_check CHECK ((quantity >= 1)),
    CONSTRAINT record_version_check CHECK ((version >= 1))
);


--
-- Name: record_purge; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.record_purge (
    purge_id uuid NOT NULL,
    ended_before date NOT NULL,
    record_count bigint NOT NULL,
    digest bytea NOT NULL,
    purged_at timestamp with time zone NOT NULL,
    CONSTRAINT record_purge_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT record_purge_record_count_check CHECK ((record_count >= 1))
);


--
-- Name: record_step; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.record_step (
    subject_id uuid NOT NULL,
    step_id uuid NOT NULL,
    record_id uuid NOT NULL,
    step text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT record_step_step_check CHECK ((step = ANY (ARRAY['dispute'::text, 'confirm'::text, 'repair'::text])))
);


--
-- Name: replay_marker; Type: TABLE; Schema: public; Owner: -
--

CREATE UNLOGGED TABLE public.replay_marker (
    marker bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: schema_migration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migration (
    version integer NOT NULL,
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: score; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.score (
    subject_id uuid NOT NULL,
    points bigint NOT NULL,
    identity_points bigint NOT NULL,
    performance_points bigint NOT NULL,
    law_points bigint NOT NULL,
    economic_points bigint NOT NULL,
    civic_points bigint NOT NULL,
    scorecard_version text NOT NULL,
    input_digest bytea NOT NULL,
    as_of date NOT NULL,
    computed_at timestamp with time zone NOT NULL,
    indicator_values integer[] NOT NULL,
    revision bigint NOT NULL,
    due_on date NOT NULL,
    CONSTRAINT score_points_check CHECK ((points >= 0))
)
WITH (fillfactor='45');


--
-- Name: score_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.score_history (
    subject_id uuid NOT NULL,
    revision bigint NOT NULL,
    points bigint NOT NULL,
    identity_points bigint NOT NULL,
    performance_points bigint NOT NULL,
    law_points bigint NOT NULL,
    economic_points bigint NOT NULL,
    civic_points bigint NOT NULL,
    indicator_values integer[] NOT NULL,
    scorecard_version text NOT NULL,
    input_digest bytea NOT NULL,
    as_of date NOT NULL,
    computed_at timestamp with time zone NOT NULL,
    CONSTRAINT score_history_input_digest_check CHECK ((octet_length(input_digest) = 32)),
    CONSTRAINT score_history_points_check CHECK ((points >= 0)),
    CONSTRAINT score_history_revision_check CHECK ((revision >= 1))
);


--
-- Name: score_run; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.score_run (
    run_id uuid NOT NULL,
    scorecard_version text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone
);


--
-- Name: score_run_part; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.score_run_part (
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    first_subject uuid NOT NULL,
    end_subject uuid NOT NULL,
    seen bigint DEFAULT 0 NOT NULL,
    changed bigint DEFAULT 0 NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT score_run_part_check CHECK ((end_subject > first_subject)),
    CONSTRAINT score_run_part_ordinal_check CHECK ((ordinal >= 0))
);


--
-- Name: scorecard; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.scorecard (
    version text NOT NULL,
    document text NOT NULL,
    digest bytea NOT NULL,
    submitted_by text NOT NULL,
    submitted_at timestamp with time zone NOT NULL,
    in_force_at timestamp with time zone,
    CONSTRAINT scorecard_digest_check CHECK ((octet_length(digest) = 32))
);


--
-- Name: scorecard_approval; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.scorecard_approval (
    version text NOT NULL,
    approver text NOT NULL,
    report_id uuid NOT NULL,
    approved_at timestamp with time zone NOT NULL
);


--
-- Name: scorecard_report; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.scorecard_report (
    report_id uuid NOT NULL,
    scorecard_version text NOT NULL,
    scorecard_digest bytea NOT NULL,
    champion_version text,
    as_of date NOT NULL,
    document jsonb NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT scorecard_report_scorecard_digest_check CHECK ((octet_length(scorecard_digest) = 32))
);


--
-- Name: seat_budget; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.seat_budget (
    programme_code text NOT NULL,
    seats_total bigint NOT NULL,
    seats_taken bigint DEFAULT 0 NOT NULL,
    CONSTRAINT seat_budget_check CHECK (((seats_taken >= 0) AND (seats_taken <= seats_total)))
);


--
-- Name: session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.session (
    token_hash bytea NOT NULL,
    subject_id uuid NOT NULL,
    kind text NOT NULL,
    jkt text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT session_check CHECK (((jkt IS NOT NULL) = (kind = 'app'::text))),
    CONSTRAINT session_check1 CHECK ((expires_at >= created_at)),
    CONSTRAINT session_kind_check CHECK ((kind = ANY (ARRAY['app'::text, 'web'::text]))),
    CONSTRAINT session_token_hash_check CHECK ((octet_length(token_hash) = 32))
);


--
-- Name: sign_in_code; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sign_in_code (
    phone_hash bytea NOT NULL,
    code_hash bytea NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT sign_in_code_check CHECK ((expires_at > sent_at)),
    CONSTRAINT sign_in_code_code_hash_check CHECK ((octet_length(code_hash) = 32)),
    CONSTRAINT sign_in_code_phone_hash_check CHECK ((octet_length(phone_hash) = 32))
);


--
-- Name: sign_in_try; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sign_in_try (
    counter_hash bytea NOT NULL,
    tried_at timestamp with time zone[] NOT NULL,
    touched_at timestamp with time zone NOT NULL,
    CONSTRAINT sign_in_try_counter_hash_check CHECK ((octet_length(counter_hash) = 32)),
    CONSTRAINT sign_in_try_tried_at_check CHECK ((cardinality(tried_at) <= 100))
);


--
-- Name: signing_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.signing_key (
    kid text NOT NULL,
    key_use text NOT NULL,
    status text NOT NULL,
    private_sealed bytea NOT NULL,
    public_jwk jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT signing_key_key_use_check CHECK ((key_use = 'response'::text)),
    CONSTRAINT signing_key_status_check CHECK ((status = ANY (ARRAY['next'::text, 'active'::text, 'retiring'::text])))
);


--
-- Name: submission; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.submission (
    submission_id uuid NOT NULL,
    source_code text NOT NULL,
    class_code text NOT NULL,
    batch_id text NOT NULL,
    content_digest bytea NOT NULL,
    accepted bigint NOT NULL,
    rejected bigint NOT NULL,
    bytes_done bigint NOT NULL,
    lines_done bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    duplicates bigint DEFAULT 0 NOT NULL,
    corrections bigint DEFAULT 0 NOT NULL,
    withdrawals bigint DEFAULT 0 NOT NULL,
    repairs bigint DEFAULT 0 NOT NULL,
    incomplete bigint DEFAULT 0 NOT NULL,
    timed bigint DEFAULT 0 NOT NULL,
    late bigint DEFAULT 0 NOT NULL,
    upload_id uuid,
    layout jsonb
);


--
-- Name: submission_error; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.submission_error (
    submission_id uuid NOT NULL,
    line_number bigint NOT NULL,
    fault_number bigint NOT NULL,
    column_name text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    row_sealed bytea,
    CONSTRAINT submission_error_check CHECK (((fault_number = 0) = (row_sealed IS NOT NULL)))
);


--
-- Name: upload; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.upload (
    upload_id uuid NOT NULL,
    source_code text NOT NULL,
    received_bytes bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: upload_part; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.upload_part (
    upload_id uuid NOT NULL,
    begin_byte bigint NOT NULL,
    content_sealed bytea NOT NULL,
    CONSTRAINT upload_part_begin_byte_check CHECK ((begin_byte >= 0))
);


--
-- Name: work_calendar; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.work_calendar (
    day date NOT NULL,
    is_working boolean NOT NULL,
    imported_at timestamp with time zone NOT NULL
);


--
-- Name: access_entry access_entry_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.access_entry
    ADD CONSTRAINT access_entry_pkey PRIMARY KEY (subject_id, entry_id);


--
-- Name: account account_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (subject_id);


--
-- Name: catalogue_edition catalogue_edition_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.catalogue_edition
    ADD CONSTRAINT catalogue_edition_pkey PRIMARY KEY (edition);


--
-- Name: client client_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.client
    ADD CONSTRAINT client_pkey PRIMARY KEY (client_id);


--
-- Name: consent consent_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_pkey PRIMARY KEY (subject_id, consent_id);


--
-- Name: consent_refusal consent_refusal_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.consent_refusal
    ADD CONSTRAINT consent_refusal_pkey PRIMARY KEY (subject_id, partner_id, purpose);


--
-- Name: decision decision_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (subject_id, decision_id);


--
-- Name: ended_number ended_number_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ended_number
    ADD CONSTRAINT ended_number_pkey PRIMARY KEY (source_code, external_id);


--
-- Name: enrolment enrolment_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.enrolment
    ADD CONSTRAINT enrolment_pkey PRIMARY KEY (subject_id, enrolment_id);


--
-- Name: idempotency_key idempotency_key_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (owner_id, key);


--
-- Name: oauth_access_token oauth_access_token_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.oauth_access_token
    ADD CONSTRAINT oauth_access_token_pkey PRIMARY KEY (token_hash);


--
-- Name: oauth_client_token oauth_client_token_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.oauth_client_token
    ADD CONSTRAINT oauth_client_token_pkey PRIMARY KEY (token_hash);


--
-- Name: oauth_code oauth_code_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.oauth_code
    ADD CONSTRAINT oauth_code_pkey PRIMARY KEY (code_hash);


--
-- Name: oauth_grant oauth_grant_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.oauth_grant
    ADD CONSTRAINT oauth_grant_pkey PRIMARY KEY (grant_id);


--
-- Name: oauth_refresh_token oauth_refresh_token_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.oauth_refresh_token
    ADD CONSTRAINT oauth_refresh_token_pkey PRIMARY KEY (token_hash);


--
-- Name: oauth_request oauth_request_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.oauth_request
    ADD CONSTRAINT oauth_request_pkey PRIMARY KEY (request_hash);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (event_id);


--
-- Name: participation participation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participation
    ADD CONSTRAINT participation_pkey PRIMARY KEY (subject_id);


--
-- Name: partner partner_code_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.partner
    ADD CONSTRAINT partner_code_key UNIQUE (code);


--
-- Name: partner partner_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.partner
    ADD CONSTRAINT partner_pkey PRIMARY KEY (partner_id);


--
-- Name: phone_directory phone_directory_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.phone_directory
    ADD CONSTRAINT phone_directory_pkey PRIMARY KEY (phone_hash);


--
-- Name: programme programme_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.programme
    ADD CONSTRAINT programme_pkey PRIMARY KEY (programme_code);


--
-- Name: programme_version programme_version_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.programme_version
    ADD CONSTRAINT programme_version_pkey PRIMARY KEY (programme_code, version);


--
-- Name: purged_record purged_record_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.purged_record
    ADD CONSTRAINT purged_record_pkey PRIMARY KEY (purge_id, ordinal);


--
-- Name: record record_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (subject_id, source_code, external_id, version);


--
-- Name: record_purge record_purge_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.record_purge
    ADD CONSTRAINT record_purge_pkey PRIMARY KEY (purge_id);


--
-- Name: record_step record_step_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.record_step
    ADD CONSTRAINT record_step_pkey PRIMARY KEY (subject_id, step_id);


--
-- Name: replay_marker replay_marker_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.replay_marker
    ADD CONSTRAINT replay_marker_pkey PRIMARY KEY (marker);


--
-- Name: schema_migration schema_migration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (version);


--
-- Name: score_history score_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.score_history
    ADD CONSTRAINT score_history_pkey PRIMARY KEY (subject_id, revision);


--
-- Name: score score_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.score
    ADD CONSTRAINT score_pkey PRIMARY KEY (subject_id);


--
-- Name: score_run_part score_run_part_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.score_run_part
    ADD CONSTRAINT score_run_part_pkey PRIMARY KEY (run_id, ordinal);


--
-- Name: score_run score_run_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.score_run
    ADD CONSTRAINT score_run_pkey PRIMARY KEY (run_id);


--
-- Name: scorecard_approval scorecard_approval_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scorecard_approval
    ADD CONSTRAINT scorecard_approval_pkey PRIMARY KEY (version, approver, report_id);


--
-- Name: scorecard scorecard_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scorecard
    ADD CONSTRAINT scorecard_pkey PRIMARY KEY (version);


--
-- Name: scorecard_report scorecard_report_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scorecard_report
    ADD CONSTRAINT scorecard_report_pkey PRIMARY KEY (report_id);


--
-- Name: seat_budget seat_budget_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.seat_budget
    ADD CONSTRAINT seat_budget_pkey PRIMARY KEY (programme_code);


--
-- Name: session session_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (token_hash);


--
-- Name: sign_in_code sign_in_code_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sign_in_code
    ADD CONSTRAINT sign_in_code_pkey PRIMARY KEY (phone_hash);


--
-- Name: sign_in_try sign_in_try_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sign_in_try
    ADD CONSTRAINT sign_in_try_pkey PRIMARY KEY (counter_hash);


--
-- Name: signing_key signing_key_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.signing_key
    ADD CONSTRAINT signing_key_pkey PRIMARY KEY (kid);


--
-- Name: submission_error submission_error_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.submission_error
    ADD CONSTRAINT submission_error_pkey PRIMARY KEY (submission_id, line_number, fault_number);


--
-- Name: submission submission_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.submission
    ADD CONSTRAINT submission_pkey PRIMARY KEY (submission_id);


--
-- Name: submission submission_source_code_batch_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.submission
    ADD CONSTRAINT submission_source_code_batch_id_key UNIQUE (source_code, batch_id);


--
-- Name: upload_part upload_part_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.upload_part
    ADD CONSTRAINT upload_part_pkey PRIMARY KEY (upload_id, begin_byte);


--
-- Name: upload upload_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.upload
    ADD CONSTRAINT upload_pkey PRIMARY KEY (upload_id);


--
-- Name: work_calendar work_calendar_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.work_calendar
    ADD CONSTRAINT work_calendar_pkey PRIMARY KEY (day);


--
-- Name: catalogue_edition_published_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX catalogue_edition_published_at ON public.catalogue_edition USING btree (published_at);


--
-- Name: client_partner_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX client_partner_id ON public.client USING btree (partner_id);


--
-- Name: consent_live; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX consent_live ON public.consent USING btree (subject_id, partner_id, purpose, programme_code) WHERE (ended_at IS NULL);


--
-- Name: decision_look; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX decision_look ON public.decision USING btree (subject_id, consent_id, day, look_number);


--
-- Name: ended_number_forget_on; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ended_number_forget_on ON public.ended_number USING btree (forget_on);


--
-- Name: enrolment_running; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX enrolment_running ON public.enrolment USING btree (subject_id, programme_code) WHERE (ended_at IS NULL);


--
-- Name: idempotency_key_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idempotency_key_expires_at ON public.idempotency_key USING btree (expires_at);


--
-- Name: oauth_access_token_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX oauth_access_token_expires_at ON public.oauth_access_token USING btree (expires_at);


--
-- Name: oauth_client_token_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX oauth_client_token_expires_at ON public.oauth_client_token USING btree (expires_at);


--
-- Name: oauth_code_kept_until; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX oauth_code_kept_until ON public.oauth_code USING btree (kept_until);


--
-- Name: oauth_grant_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX oauth_grant_expires_at ON public.oauth_grant USING btree (expires_at);


--
-- Name: oauth_grant_subject_consent; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX oauth_grant_subject_consent ON public.oauth_grant USING btree (subject_id, consent_id);


--
-- Name: oauth_refresh_token_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX oauth_refresh_token_expires_at ON public.oauth_refresh_token USING btree (expires_at);


--
-- Name: oauth_request_decide_by; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX oauth_request_decide_by ON public.oauth_request USING btree (decide_by);


--
-- Name: outbox_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_open ON public.outbox USING btree (event_id) WHERE (done_at IS NULL);


--
-- Name: phone_directory_subject; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX phone_directory_subject ON public.phone_directory USING btree (subject_id);


--
-- Name: purged_record_digest; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX purged_record_digest ON public.purged_record USING btree (record_digest);


--
-- Name: record_ending; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX record_ending ON public.record USING btree (ends_on) WHERE ((superseded_at IS NULL) OR (action = 'withdraw'::text));


--
-- Name: record_number; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX record_number ON public.record USING btree (source_code, external_id);


--
-- Name: record_standing; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX record_standing ON public.record USING btree (subject_id) INCLUDE (class_code, quantity, occurred_on, ended_on, ends_on, fingerprint) WHERE ((superseded_at IS NULL) AND (disputed_at IS NULL) AND (repaired_at IS NULL));


--
-- Name: replay_marker_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX replay_marker_expires_at ON public.replay_marker USING btree (expires_at);


--
-- Name: score_due_on; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX score_due_on ON public.score USING btree (due_on);


--
-- Name: score_history_computed_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX score_history_computed_at ON public.score_history USING brin (computed_at);


--
-- Name: score_run_unfinished; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX score_run_unfinished ON public.score_run USING btree (((finished_at IS NULL))) WHERE (finished_at IS NULL);


--
-- Name: scorecard_in_force_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX scorecard_in_force_at ON public.scorecard USING btree (in_force_at) WHERE (in_force_at IS NOT NULL);


--
-- Name: scorecard_report_version; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX scorecard_report_version ON public.scorecard_report USING btree (scorecard_version, made_at);


--
-- Name: session_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX session_expiry ON public.session USING btree (expires_at);


--
-- Name: session_subject; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX session_subject ON public.session USING btree (subject_id);


--
-- Name: sign_in_code_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sign_in_code_expiry ON public.sign_in_code USING btree (expires_at);


--
-- Name: sign_in_try_touched; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sign_in_try_touched ON public.sign_in_try USING btree (touched_at);


--
-- Name: signing_key_one_active; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX signing_key_one_active ON public.signing_key USING btree (key_use) WHERE (status = 'active'::text);


--
-- Name: submission_source_code; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX submission_source_code ON public.submission USING btree (source_code, submission_id);


--
-- Name: submission_upload_id; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX submission_upload_id ON public.submission USING btree (upload_id) WHERE (upload_id IS NOT NULL);


--
-- Name: upload_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX upload_created_at ON public.upload USING btree (created_at);


--
-- Name: access_entry access_entry_keeps_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER access_entry_keeps_all BEFORE TRUNCATE ON public.access_entry FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: access_entry access_entry_keeps_rows; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER access_entry_keeps_rows BEFORE DELETE OR UPDATE ON public.access_entry FOR EACH ROW EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: client client_partner_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.client
    ADD CONSTRAINT client_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES public.partner(partner_id);


--
-- Name: oauth_request oauth_request_client_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.oauth_request
    ADD CONSTRAINT oauth_request_client_id_fkey FOREIGN KEY (client_id) REFERENCES public.client(client_id);


--
-- Name: participation participation_subject_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participation
    ADD CONSTRAINT participation_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.account(subject_id);


--
-- Name: programme_version programme_version_programme_code_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.programme_version
    ADD CONSTRAINT programme_version_programme_code_fkey FOREIGN KEY (programme_code) REFERENCES public.programme(programme_code);


--
-- Name: purged_record purged_record_purge_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.purged_record
    ADD CONSTRAINT purged_record_purge_id_fkey FOREIGN KEY (purge_id) REFERENCES public.record_purge(purge_id);


--
-- Name: scorecard_approval scorecard_approval_report_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scorecard_approval
    ADD CONSTRAINT scorecard_approval_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.scorecard_report(report_id);


--
-- Name: scorecard_approval scorecard_approval_version_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scorecard_approval
    ADD CONSTRAINT scorecard_approval_version_fkey FOREIGN KEY (version) REFERENCES public.scorecard(version);


--
-- Name: scorecard_report scorecard_report_scorecard_version_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scorecard_report
    ADD CONSTRAINT scorecard_report_scorecard_version_fkey FOREIGN KEY (scorecard_version) REFERENCES public.scorecard(version);


--
-- Name: seat_budget seat_budget_programme_code_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.seat_budget
    ADD CONSTRAINT seat_budget_programme_code_fkey FOREIGN KEY (programme_code) REFERENCES public.programme(programme_code);


--
-- Name: submission_error submission_error_submission_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.submission_error
    ADD CONSTRAINT submission_error_submission_id_fkey FOREIGN KEY (submission_id) REFERENCES public.submission(submission_id);


--
-- Name: upload_part upload_part_upload_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.upload_part
    ADD CONSTRAINT upload_part_upload_id_fkey FOREIGN KEY (upload_id) REFERENCES public.upload(upload_id) ON DELETE CASCADE;


--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA public TO creditplus_app;


--
-- Name: TABLE access_entry; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.access_entry TO creditplus_app;


--
-- Name: TABLE account; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account TO creditplus_app;


--
-- Name: TABLE catalogue_edition; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.catalogue_edition TO creditplus_app;


--
-- Name: TABLE client; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.client TO creditplus_app;


--
-- Name: TABLE consent; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.consent TO creditplus_app;


--
-- Name: TABLE consent_refusal; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.consent_refusal TO creditplus_app;


--
-- Name: TABLE decision; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.decision TO creditplus_app;


--
-- Name: TABLE ended_number; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.ended_number TO creditplus_app;


--
-- Name: COLUMN ended_number.version; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(version) ON TABLE public.ended_number TO creditplus_app;


--
-- Name: COLUMN ended_number.forget_on; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(forget_on) ON TABLE public.ended_number TO creditplus_app;


--
-- Name: TABLE enrolment; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.enrolment TO creditplus_app;


--
-- Name: TABLE idempotency_key; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_key TO creditplus_app;


--
-- Name: TABLE oauth_access_token; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.oauth_access_token TO creditplus_app;


--
-- Name: TABLE oauth_client_token; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.oauth_client_token TO creditplus_app;


--
-- Name: COLUMN oauth_client_token.revoked_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(revoked_at) ON TABLE public.oauth_client_token TO creditplus_app;


--
-- Name: TABLE oauth_code; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.oauth_code TO creditplus_app;


--
-- Name: TABLE oauth_grant; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.oauth_grant TO creditplus_app;


--
-- Name: TABLE oauth_refresh_token; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.oauth_refresh_token TO creditplus_app;


--
-- Name: TABLE oauth_request; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.oauth_request TO creditplus_app;


--
-- Name: TABLE outbox; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.outbox TO creditplus_app;


--
-- Name: TABLE participation; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.participation TO creditplus_app;


--
-- Name: TABLE partner; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.partner TO creditplus_app;


--
-- Name: TABLE phone_directory; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.phone_directory TO creditplus_app;


--
-- Name: TABLE programme; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.programme TO creditplus_app;


--
-- Name: TABLE programme_version; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.programme_version TO creditplus_app;


--
-- Name: TABLE purged_record; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.purged_record TO creditplus_app;


--
-- Name: TABLE record; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.record TO creditplus_app;


--
-- Name: COLUMN record.superseded_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(superseded_at) ON TABLE public.record TO creditplus_app;


--
-- Name: COLUMN record.disputed_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(disputed_at) ON TABLE public.record TO creditplus_app;


--
-- Name: COLUMN record.repaired_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(repaired_at) ON TABLE public.record TO creditplus_app;


--
-- Name: TABLE record_purge; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.record_purge TO creditplus_app;


--
-- Name: TABLE record_step; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.record_step TO creditplus_app;


--
-- Name: TABLE replay_marker; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.replay_marker TO creditplus_app;


--
-- Name: TABLE schema_migration; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.schema_migration TO PUBLIC;


--
-- Name: TABLE score; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.score TO creditplus_app;


--
-- Name: TABLE score_history; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.score_history TO creditplus_app;


--
-- Name: TABLE score_run; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.score_run TO creditplus_app;


--
-- Name: TABLE score_run_part; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.score_run_part TO creditplus_app;


--
-- Name: TABLE scorecard; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.scorecard TO creditplus_app;


--
-- Name: COLUMN scorecard.in_force_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(in_force_at) ON TABLE public.scorecard TO creditplus_app;


--
-- Name: TABLE scorecard_approval; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.scorecard_approval TO creditplus_app;


--
-- Name: TABLE scorecard_report; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.scorecard_report TO creditplus_app;


--
-- Name: TABLE seat_budget; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.seat_budget TO creditplus_app;


--
-- Name: TABLE session; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.session TO creditplus_app;


--
-- Name: TABLE sign_in_code; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sign_in_code TO creditplus_app;


--
-- Name: TABLE sign_in_try; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sign_in_try TO creditplus_app;


--
-- Name: TABLE signing_key; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.signing_key TO creditplus_app;


--
-- Name: TABLE submission; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.submission TO creditplus_app;


--
-- Name: TABLE submission_error; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.submission_error TO creditplus_app;


--
-- Name: TABLE upload; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.upload TO creditplus_app;


--
-- Name: COLUMN upload.received_bytes; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(received_bytes) ON TABLE public.upload TO creditplus_app;


--
-- Name: TABLE upload_part; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.upload_part TO creditplus_app;


--
-- Name: TABLE work_calendar; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.work_calendar TO creditplus_app;


--
-- PostgreSQL database dump complete
--

\unrestrict creditplus

