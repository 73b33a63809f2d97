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
-- Name: budget; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.budget (
    programme_code text NOT NULL,
    span text NOT NULL,
    bucket text NOT NULL,
    limit_fen bigint,
    limit_uses bigint,
    reserved_fen bigint DEFAULT 0 NOT NULL,
    settled_fen bigint DEFAULT 0 NOT NULL,
    uses bigint DEFAULT 0 NOT NULL,
    revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT budget_check CHECK (((reserved_fen + settled_fen) <= limit_fen)),
    CONSTRAINT budget_check1 CHECK ((uses <= limit_uses)),
    CONSTRAINT budget_check2 CHECK (((span = 'programme'::text) = (bucket = ''::text))),
    CONSTRAINT budget_limit_fen_check CHECK ((limit_fen >= 0)),
    CONSTRAINT budget_limit_uses_check CHECK ((limit_uses >= 0)),
    CONSTRAINT budget_reserved_fen_check CHECK ((reserved_fen >= 0)),
    CONSTRAINT budget_revision_check CHECK ((revision >= 0)),
    CONSTRAINT budget_settled_fen_check CHECK ((settled_fen >= 0)),
    CONSTRAINT budget_span_check CHECK ((span = ANY (ARRAY['programme'::text, 'partner'::text, 'day'::text, 'month'::text]))),
    CONSTRAINT budget_uses_check CHECK ((uses >= 0))
);


--
-- Name: budget_entry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.budget_entry (
    programme_code text NOT NULL,
    span text NOT NULL,
    bucket text NOT NULL,
    revision bigint NOT NULL,
    kind text NOT NULL,
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
    at timestamp with time zone NOT NULL,
    CONSTRAINT budget_entry_check CHECK (((kind = ANY (ARRAY['limit'::text, 'refill'::text])) = (reservation_id IS NULL))),
    CONSTRAINT budget_entry_kind_check CHECK ((kind = ANY (ARRAY['limit'::text, 'refill'::text, 'reserve'::text, 'lower'::text, 'settle'::text, 'release'::text, 'expire'::text]))),
    CONSTRAINT budget_entry_revision_check CHECK ((revision >= 1))
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
-- Name: citizen_budget; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.citizen_budget (
    subject_id uuid NOT NULL,
    programme_code text NOT NULL,
    limit_fen bigint,
    limit_uses bigint,
    reserved_fen bigint DEFAULT 0 NOT NULL,
    settled_fen bigint DEFAULT 0 NOT NULL,
    uses bigint DEFAULT 0 NOT NULL,
    CONSTRAINT citizen_budget_check CHECK (((reserved_fen + settled_fen) <= limit_fen)),
    CONSTRAINT citizen_budget_check1 CHECK ((uses <= limit_uses)),
    CONSTRAINT citizen_budget_limit_fen_check CHECK ((limit_fen >= 0)),
    CONSTRAINT citizen_budget_limit_uses_check CHECK ((limit_uses >= 0)),
    CONSTRAINT citizen_budget_reserved_fen_check CHECK ((reserved_fen >= 0)),
    CONSTRAINT citizen_budget_settled_fen_check CHECK ((settled_fen >= 0)),
    CONSTRAINT citizen_budget_uses_check CHECK ((uses >= 0))
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
    granted_by_case_id uuid,
    CONSTRAINT enrolment_check CHECK (((ended_at IS NULL) = (end_reason IS NULL))),
    CONSTRAINT enrolment_end_reason_check CHECK ((end_reason = 'left'::text))
);


--
-- Name: exposure; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.exposure (
    subject_id uuid NOT NULL,
    open_fen bigint NOT NULL,
    CONSTRAINT exposure_open_fen_check CHECK ((open_fen >= 0))
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
-- Name: notice; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.notice (
    subject_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    topic text NOT NULL,
    facts jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    read_at timestamp with time zone
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
-- Name: obligation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.obligation (
    subject_id uuid NOT NULL,
    obligation_id uuid NOT NULL,
    order_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    amount_fen bigint NOT NULL,
    state text NOT NULL,
    announced_at timestamp with time zone NOT NULL,
    stands_on date NOT NULL,
    reply_kind text,
    reply_sealed bytea,
    replied_at timestamp with time zone,
    case_id uuid,
    revision bigint NOT NULL,
    CONSTRAINT obligation_amount_fen_check CHECK ((amount_fen >= 1)),
    CONSTRAINT obligation_check CHECK (((reply_kind IS NOT NULL) = (replied_at IS NOT NULL))),
    CONSTRAINT obligation_reply_kind_check CHECK ((reply_kind = ANY (ARRAY['will_pay'::text, 'contested'::text]))),
    CONSTRAINT obligation_revision_check CHECK ((revision >= 1)),
    CONSTRAINT obligation_state_check CHECK ((state = ANY (ARRAY['announced'::text, 'contested'::text, 'standing'::text])))
);


--
-- Name: operator; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.operator (
    operator_id uuid NOT NULL,
    login text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    roles text[] NOT NULL,
    password_hash text,
    totp_sealed bytea,
    set_up_hash bytea,
    set_up_until timestamp with time zone,
    totp_step bigint DEFAULT 0 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    suspended_at timestamp with time zone,
    CONSTRAINT operator_check CHECK (((password_hash IS NULL) = (totp_sealed IS NULL))),
    CONSTRAINT operator_check1 CHECK (((set_up_hash IS NULL) = (set_up_until IS NULL))),
    CONSTRAINT operator_roles_check CHECK (((cardinality(roles) >= 1) AND (roles <@ ARRAY['programmes'::text, 'data'::text, 'cases'::text, 'security'::text, 'audit'::text]))),
    CONSTRAINT operator_set_up_hash_check CHECK ((octet_length(set_up_hash) = 32)),
    CONSTRAINT operator_totp_step_check CHECK ((totp_step >= 0))
);


--
-- Name: operator_entry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.operator_entry (
    entry_id uuid NOT NULL,
    operator_id uuid,
    login text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    reason text NOT NULL,
    facts jsonb NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT operator_entry_check CHECK (((operator_id IS NULL) = (login ~~ 'cli:%'::text))),
    CONSTRAINT operator_entry_reason_check CHECK ((reason <> ''::text))
);


--
-- Name: operator_session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.operator_session (
    token_hash bytea NOT NULL,
    operator_id uuid NOT NULL,
    kind text NOT NULL,
    jkt text,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT operator_session_check CHECK (((jkt IS NOT NULL) = (kind = 'api'::text))),
    CONSTRAINT operator_session_check1 CHECK ((expires_at > created_at)),
    CONSTRAINT operator_session_kind_check CHECK ((kind = ANY (ARRAY['api'::text, 'web'::text]))),
    CONSTRAINT operator_session_token_hash_check CHECK ((octet_length(token_hash) = 32))
);


--
-- Name: operator_try; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.operator_try (
    counter_hash bytea NOT NULL,
    tried_at timestamp with time zone[] NOT NULL,
    touched_at timestamp with time zone NOT NULL,
    CONSTRAINT operator_try_counter_hash_check CHECK ((octet_length(counter_hash) = 32)),
    CONSTRAINT operator_try_tried_at_check CHECK ((cardinality(tried_at) <= 100))
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
    checks_a_day bigint,
    CONSTRAINT partner_checks_a_day_check CHECK ((checks_a_day >= 1)),
    CONSTRAINT partner_kind_check CHECK ((kind = ANY (ARRAY['merchant'::text, 'lender'::text, 'source'::text]))),
    CONSTRAINT partner_source_check CHECK (((kind = 'source'::text) = (source_code IS NOT NULL)))
);


--
-- Name: partner_check; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.partner_check (
    partner_id uuid NOT NULL,
    day date NOT NULL,
    checks bigint NOT NULL,
    CONSTRAINT partner_check_checks_check CHECK ((checks >= 0))
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
    paused_at timestamp with time zone,
    revision bigint DEFAULT 1 NOT NULL,
    CONSTRAINT programme_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT programme_version_check CHECK ((version >= 1))
);


--
-- Name: programme_dry_run; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.programme_dry_run (
    dry_run_id uuid NOT NULL,
    programme_code text NOT NULL,
    version bigint NOT NULL,
    digest bytea NOT NULL,
    live_digest bytea,
    scorecard_version text NOT NULL,
    as_of date NOT NULL,
    document jsonb NOT NULL,
    signature text NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT programme_dry_run_digest_check CHECK ((octet_length(digest) = 32))
);


--
-- Name: programme_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.programme_version (
    programme_code text NOT NULL,
    version bigint NOT NULL,
    document jsonb NOT NULL,
    digest bytea NOT NULL,
    published_at timestamp with time zone,
    state text NOT NULL,
    text text NOT NULL,
    drafted_by text NOT NULL,
    drafted_at timestamp with time zone NOT NULL,
    submitted_by text,
    submitted_at timestamp with time zone,
    decided_by text,
    decided_at timestamp with time zone,
    dry_run_id uuid,
    CONSTRAINT programme_version_decided_check CHECK (((decided_by IS NULL) = (decided_at IS NULL))),
    CONSTRAINT programme_version_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT programme_version_four_eyes_check CHECK (((decided_by IS NULL) OR ((decided_by <> drafted_by) AND (decided_by <> submitted_by)))),
    CONSTRAINT programme_version_published_check CHECK (((published_at IS NOT NULL) = (state = ANY (ARRAY['live'::text, 'retired'::text])))),
    CONSTRAINT programme_version_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'submitted'::text, 'rejected'::text, 'live'::text, 'retired'::text]))),
    CONSTRAINT programme_version_submitted_check CHECK (((submitted_by IS NULL) = (submitted_at IS NULL))),
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
-- Name: reservation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.reservation (
    subject_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    programme_code text NOT NULL,
    partner_id uuid NOT NULL,
    day date NOT NULL,
    amount_fen bigint NOT NULL,
    settled_fen bigint,
    state text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    closed_at timestamp with time zone,
    CONSTRAINT reservation_amount_fen_check CHECK ((amount_fen >= 0)),
    CONSTRAINT reservation_check CHECK (((settled_fen >= 0) AND (settled_fen <= amount_fen))),
    CONSTRAINT reservation_check1 CHECK (((state = 'settled'::text) = (settled_fen IS NOT NULL))),
    CONSTRAINT reservation_check2 CHECK (((state = 'reserved'::text) = (closed_at IS NULL))),
    CONSTRAINT reservation_state_check CHECK ((state = ANY (ARRAY['reserved'::text, 'settled'::text, 'released'::text, 'expired'::text])))
);


--
-- Name: review_case; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.review_case (
    subject_id uuid NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL,
    object text NOT NULL,
    text_sealed bytea,
    state text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    due_on date NOT NULL,
    taken_by text,
    outcome text,
    answer_zh text,
    answer_en text,
    decided_by text,
    decided_at timestamp with time zone,
    CONSTRAINT review_case_check CHECK (((state = 'decided'::text) = (outcome IS NOT NULL))),
    CONSTRAINT review_case_check1 CHECK (((state = 'decided'::text) = (decided_by IS NOT NULL))),
    CONSTRAINT review_case_check2 CHECK (((state = 'decided'::text) = (decided_at IS NOT NULL))),
    CONSTRAINT review_case_kind_check CHECK ((kind = ANY (ARRAY['not_yet'::text, 'obligation'::text]))),
    CONSTRAINT review_case_outcome_check CHECK ((outcome = ANY (ARRAY['upheld'::text, 'changed'::text]))),
    CONSTRAINT review_case_state_check CHECK ((state = ANY (ARRAY['open'::text, 'decided'::text, 'withdrawn'::text])))
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
-- Name: service_order; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.service_order (
    subject_id uuid NOT NULL,
    order_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    client_id text NOT NULL,
    consent_id uuid NOT NULL,
    programme_code text NOT NULL,
    programme_version bigint NOT NULL,
    decision_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    reference text NOT NULL,
    state text NOT NULL,
    confirmed_by text,
    opened_fen bigint NOT NULL,
    accepts_partial boolean NOT NULL,
    amount_fen bigint NOT NULL,
    credit_fen bigint NOT NULL,
    settled_fen bigint,
    performance text,
    revision bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    confirm_by timestamp with time zone NOT NULL,
    activated_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT service_order_check CHECK (((amount_fen >= 1) AND (amount_fen <= opened_fen))),
    CONSTRAINT service_order_check1 CHECK (((credit_fen >= 1) AND (credit_fen <= amount_fen))),
    CONSTRAINT service_order_check2 CHECK (((settled_fen >= 0) AND (settled_fen <= credit_fen))),
    CONSTRAINT service_order_check3 CHECK (((activated_at IS NOT NULL) = (confirmed_by IS NOT NULL))),
    CONSTRAINT service_order_check4 CHECK (((ended_at IS NOT NULL) = (state = ANY (ARRAY['completed'::text, 'cancelled'::text, 'expired'::text])))),
    CONSTRAINT service_order_check5 CHECK (((settled_fen IS NOT NULL) = (state = 'completed'::text))),
    CONSTRAINT service_order_check6 CHECK (((performance IS NULL) OR (state = 'completed'::text))),
    CONSTRAINT service_order_confirmed_by_check CHECK ((confirmed_by = ANY (ARRAY['citizen'::text, 'consent'::text]))),
    CONSTRAINT service_order_performance_check CHECK ((performance = ANY (ARRAY['performed'::text, 'open_obligation'::text, 'nothing_owed'::text]))),
    CONSTRAINT service_order_revision_check CHECK ((revision >= 1)),
    CONSTRAINT service_order_state_check CHECK ((state = ANY (ARRAY['created'::text, 'active'::text, 'completed'::text, 'cancelled'::text, 'expired'::text])))
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
-- Name: waiting; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.waiting (
    subject_id uuid NOT NULL,
    programme_code text NOT NULL,
    waiting_id uuid NOT NULL,
    place bigint NOT NULL,
    granted_by_case_id uuid,
    since timestamp with time zone NOT NULL
);


--
-- Name: waiting_place_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.waiting ALTER COLUMN place ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.waiting_place_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: webhook_delivery; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhook_delivery (
    delivery_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    message_id uuid NOT NULL,
    topic text NOT NULL,
    object_id uuid NOT NULL,
    sequence bigint NOT NULL,
    body bytea NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    tries bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT webhook_delivery_check CHECK (((state = 'pending'::text) = (ended_at IS NULL))),
    CONSTRAINT webhook_delivery_kind_check CHECK ((kind = ANY (ARRAY['event'::text, 'replay'::text, 'probe'::text, 'ownership'::text]))),
    CONSTRAINT webhook_delivery_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'abandoned'::text]))),
    CONSTRAINT webhook_delivery_tries_check CHECK ((tries >= 0))
);


--
-- Name: webhook_endpoint; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhook_endpoint (
    endpoint_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    url text NOT NULL,
    topics text[] NOT NULL,
    scheme text NOT NULL,
    secrets_sealed bytea NOT NULL,
    state text NOT NULL,
    pause_reason text,
    failing_since timestamp with time zone,
    probed_at timestamp with time zone,
    probe_accepted boolean,
    created_at timestamp with time zone NOT NULL,
    verified_at timestamp with time zone,
    CONSTRAINT webhook_endpoint_check CHECK (((state = 'paused'::text) = (pause_reason IS NOT NULL))),
    CONSTRAINT webhook_endpoint_check1 CHECK (((state = 'unverified'::text) OR (verified_at IS NOT NULL))),
    CONSTRAINT webhook_endpoint_pause_reason_check CHECK ((pause_reason = ANY (ARRAY['failing'::text, 'gone'::text, 'partner'::text, 'operator'::text]))),
    CONSTRAINT webhook_endpoint_scheme_check CHECK ((scheme = ANY (ARRAY['hmac'::text, 'ed25519'::text]))),
    CONSTRAINT webhook_endpoint_state_check CHECK ((state = ANY (ARRAY['unverified'::text, 'active'::text, 'paused'::text]))),
    CONSTRAINT webhook_endpoint_topics_check CHECK ((cardinality(topics) >= 1))
);


--
-- Name: webhook_try; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhook_try (
    delivery_id uuid NOT NULL,
    number bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    duration_ms bigint NOT NULL,
    request_head jsonb NOT NULL,
    status bigint,
    response_head jsonb,
    fault text,
    CONSTRAINT webhook_try_duration_ms_check CHECK ((duration_ms >= 0)),
    CONSTRAINT webhook_try_number_check CHECK ((number >= 1))
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
-- Name: budget_entry budget_entry_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.budget_entry
    ADD CONSTRAINT budget_entry_pkey PRIMARY KEY (programme_code, span, bucket, revision);


--
-- Name: budget budget_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_pkey PRIMARY KEY (programme_code, span, bucket);


--
-- Name: catalogue_edition catalogue_edition_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.catalogue_edition
    ADD CONSTRAINT catalogue_edition_pkey PRIMARY KEY (edition);


--
-- Name: citizen_budget citizen_budget_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.citizen_budget
    ADD CONSTRAINT citizen_budget_pkey PRIMARY KEY (subject_id, programme_code);


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
-- Name: exposure exposure_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exposure
    ADD CONSTRAINT exposure_pkey PRIMARY KEY (subject_id);


--
-- Name: idempotency_key idempotency_key_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (owner_id, key);


--
-- Name: notice notice_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (subject_id, notice_id);


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
-- Name: obligation obligation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.obligation
    ADD CONSTRAINT obligation_pkey PRIMARY KEY (subject_id, obligation_id);


--
-- Name: operator_entry operator_entry_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operator_entry
    ADD CONSTRAINT operator_entry_pkey PRIMARY KEY (entry_id);


--
-- Name: operator operator_login_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operator
    ADD CONSTRAINT operator_login_key UNIQUE (login);


--
-- Name: operator operator_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operator
    ADD CONSTRAINT operator_pkey PRIMARY KEY (operator_id);


--
-- Name: operator_session operator_session_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operator_session
    ADD CONSTRAINT operator_session_pkey PRIMARY KEY (token_hash);


--
-- Name: operator_try operator_try_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operator_try
    ADD CONSTRAINT operator_try_pkey PRIMARY KEY (counter_hash);


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
-- Name: partner_check partner_check_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.partner_check
    ADD CONSTRAINT partner_check_pkey PRIMARY KEY (partner_id, day);


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
-- Name: programme_dry_run programme_dry_run_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.programme_dry_run
    ADD CONSTRAINT programme_dry_run_pkey PRIMARY KEY (dry_run_id);


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
-- Name: reservation reservation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.reservation
    ADD CONSTRAINT reservation_pkey PRIMARY KEY (subject_id, reservation_id);


--
-- Name: review_case review_case_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.review_case
    ADD CONSTRAINT review_case_pkey PRIMARY KEY (subject_id, case_id);


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
-- Name: service_order service_order_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.service_order
    ADD CONSTRAINT service_order_pkey PRIMARY KEY (subject_id, order_id);


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
-- Name: waiting waiting_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.waiting
    ADD CONSTRAINT waiting_pkey PRIMARY KEY (subject_id, programme_code);


--
-- Name: webhook_delivery webhook_delivery_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_pkey PRIMARY KEY (delivery_id);


--
-- Name: webhook_endpoint webhook_endpoint_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (endpoint_id);


--
-- Name: webhook_try webhook_try_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_try
    ADD CONSTRAINT webhook_try_pkey PRIMARY KEY (delivery_id, number);


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
-- Name: decision_partner; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX decision_partner ON public.decision USING btree (partner_id, decision_id);


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
-- Name: notice_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX notice_created_at ON public.notice USING btree (created_at);


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
-- Name: obligation_order; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX obligation_order ON public.obligation USING btree (subject_id, order_id);


--
-- Name: obligation_partner; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX obligation_partner ON public.obligation USING btree (partner_id, obligation_id);


--
-- Name: obligation_stands_on; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX obligation_stands_on ON public.obligation USING btree (stands_on) WHERE (state = 'announced'::text);


--
-- Name: operator_entry_login; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX operator_entry_login ON public.operator_entry USING btree (login, entry_id);


--
-- Name: operator_entry_object; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX operator_entry_object ON public.operator_entry USING btree (object, entry_id);


--
-- Name: operator_session_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX operator_session_expires_at ON public.operator_session USING btree (expires_at);


--
-- Name: operator_session_operator_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX operator_session_operator_id ON public.operator_session USING btree (operator_id);


--
-- Name: operator_try_touched_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX operator_try_touched_at ON public.operator_try USING btree (touched_at);


--
-- Name: outbox_object; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_object ON public.outbox USING btree (((payload ->> 'object_id'::text))) WHERE (done_at IS NULL);


--
-- Name: outbox_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_open ON public.outbox USING btree (event_id) WHERE (done_at IS NULL);


--
-- Name: phone_directory_subject; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX phone_directory_subject ON public.phone_directory USING btree (subject_id);


--
-- Name: programme_dry_run_version; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX programme_dry_run_version ON public.programme_dry_run USING btree (programme_code, version, made_at);


--
-- Name: programme_version_live; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX programme_version_live ON public.programme_version USING btree (programme_code) WHERE (state = 'live'::text);


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
-- Name: reservation_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX reservation_expires_at ON public.reservation USING btree (expires_at) WHERE (state = 'reserved'::text);


--
-- Name: review_case_ended; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX review_case_ended ON public.review_case USING btree (due_on) WHERE (state <> 'open'::text);


--
-- Name: review_case_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX review_case_id ON public.review_case USING btree (case_id);


--
-- Name: review_case_open; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX review_case_open ON public.review_case USING btree (subject_id, kind, object) WHERE (state = 'open'::text);


--
-- Name: review_case_queue; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX review_case_queue ON public.review_case USING btree (due_on, case_id) WHERE (state = 'open'::text);


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
-- Name: service_order_confirm_by; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX service_order_confirm_by ON public.service_order USING btree (confirm_by) WHERE (state = 'created'::text);


--
-- Name: service_order_partner; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX service_order_partner ON public.service_order USING btree (partner_id, order_id);


--
-- Name: service_order_reference; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX service_order_reference ON public.service_order USING btree (subject_id, partner_id, reference);


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
-- Name: waiting_programme; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX waiting_programme ON public.waiting USING btree (programme_code, place);


--
-- Name: webhook_delivery_due_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_delivery_due_at ON public.webhook_delivery USING btree (endpoint_id, due_at) WHERE (state = 'pending'::text);


--
-- Name: webhook_delivery_ended_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_delivery_ended_at ON public.webhook_delivery USING btree (ended_at);


--
-- Name: webhook_delivery_endpoint; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_delivery_endpoint ON public.webhook_delivery USING btree (endpoint_id, delivery_id);


--
-- Name: webhook_delivery_event; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX webhook_delivery_event ON public.webhook_delivery USING btree (endpoint_id, message_id) WHERE (kind = 'event'::text);


--
-- Name: webhook_delivery_object; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_delivery_object ON public.webhook_delivery USING btree (endpoint_id, object_id, sequence) WHERE (state = 'pending'::text);


--
-- Name: webhook_delivery_partner; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_delivery_partner ON public.webhook_delivery USING btree (partner_id, delivery_id);


--
-- Name: webhook_endpoint_partner_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_endpoint_partner_id ON public.webhook_endpoint USING btree (partner_id);


--
-- Name: access_entry access_entry_keeps_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER access_entry_keeps_all BEFORE TRUNCATE ON public.access_entry FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: access_entry access_entry_keeps_rows; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER access_entry_keeps_rows BEFORE DELETE OR UPDATE ON public.access_entry FOR EACH ROW EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: budget_entry budget_entry_keeps_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER budget_entry_keeps_all BEFORE TRUNCATE ON public.budget_entry FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: budget_entry budget_entry_keeps_rows; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER budget_entry_keeps_rows BEFORE DELETE OR UPDATE ON public.budget_entry FOR EACH ROW EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: operator_entry operator_entry_keeps_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER operator_entry_keeps_all BEFORE TRUNCATE ON public.operator_entry FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: operator_entry operator_entry_keeps_rows; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER operator_entry_keeps_rows BEFORE DELETE OR UPDATE ON public.operator_entry FOR EACH ROW EXECUTE FUNCTION public.refuse_ledger_change();


--
-- Name: budget budget_programme_code_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_programme_code_fkey FOREIGN KEY (programme_code) REFERENCES public.programme(programme_code);


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
-- Name: operator_session operator_session_operator_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.operator_session
    ADD CONSTRAINT operator_session_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.operator(operator_id);


--
-- Name: participation participation_subject_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participation
    ADD CONSTRAINT participation_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.account(subject_id);


--
-- Name: programme_dry_run programme_dry_run_programme_code_version_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.programme_dry_run
    ADD CONSTRAINT programme_dry_run_programme_code_version_fkey FOREIGN KEY (programme_code, version) REFERENCES public.programme_version(programme_code, version);


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
-- Name: webhook_delivery webhook_delivery_endpoint_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES public.webhook_endpoint(endpoint_id) ON DELETE CASCADE;


--
-- Name: webhook_endpoint webhook_endpoint_partner_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES public.partner(partner_id);


--
-- Name: webhook_try webhook_try_delivery_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_try
    ADD CONSTRAINT webhook_try_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES public.webhook_delivery(delivery_id) ON DELETE CASCADE;


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
-- Name: TABLE budget; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.budget TO creditplus_app;


--
-- Name: TABLE budget_entry; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.budget_entry TO creditplus_app;


--
-- Name: TABLE catalogue_edition; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.catalogue_edition TO creditplus_app;


--
-- Name: TABLE citizen_budget; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.citizen_budget TO creditplus_app;


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
-- Name: TABLE exposure; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.exposure TO creditplus_app;


--
-- Name: TABLE idempotency_key; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_key TO creditplus_app;


--
-- Name: TABLE notice; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.notice TO creditplus_app;


--
-- Name: COLUMN notice.sent_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(sent_at) ON TABLE public.notice TO creditplus_app;


--
-- Name: COLUMN notice.read_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(read_at) ON TABLE public.notice TO creditplus_app;


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
-- Name: TABLE obligation; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.obligation TO creditplus_app;


--
-- Name: TABLE operator; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.operator TO creditplus_app;


--
-- Name: COLUMN operator.roles; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(roles) ON TABLE public.operator TO creditplus_app;


--
-- Name: COLUMN operator.password_hash; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(password_hash) ON TABLE public.operator TO creditplus_app;


--
-- Name: COLUMN operator.totp_sealed; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(totp_sealed) ON TABLE public.operator TO creditplus_app;


--
-- Name: COLUMN operator.set_up_hash; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(set_up_hash) ON TABLE public.operator TO creditplus_app;


--
-- Name: COLUMN operator.set_up_until; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(set_up_until) ON TABLE public.operator TO creditplus_app;


--
-- Name: COLUMN operator.totp_step; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(totp_step) ON TABLE public.operator TO creditplus_app;


--
-- Name: COLUMN operator.suspended_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(suspended_at) ON TABLE public.operator TO creditplus_app;


--
-- Name: TABLE operator_entry; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.operator_entry TO creditplus_app;


--
-- Name: TABLE operator_session; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.operator_session TO creditplus_app;


--
-- Name: COLUMN operator_session.seen_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(seen_at) ON TABLE public.operator_session TO creditplus_app;


--
-- Name: COLUMN operator_session.ended_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(ended_at) ON TABLE public.operator_session TO creditplus_app;


--
-- Name: TABLE operator_try; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operator_try TO creditplus_app;


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
-- Name: TABLE partner_check; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.partner_check TO creditplus_app;


--
-- Name: TABLE phone_directory; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.phone_directory TO creditplus_app;


--
-- Name: TABLE programme; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.programme TO creditplus_app;


--
-- Name: TABLE programme_dry_run; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.programme_dry_run TO creditplus_app;


--
-- Name: TABLE programme_version; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.document; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(document) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.digest; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(digest) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.published_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(published_at) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.state; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(state) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.text; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(text) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.submitted_by; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(submitted_by) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.submitted_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(submitted_at) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.decided_by; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(decided_by) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.decided_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(decided_at) ON TABLE public.programme_version TO creditplus_app;


--
-- Name: COLUMN programme_version.dry_run_id; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(dry_run_id) ON TABLE public.programme_version TO creditplus_app;


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
-- Name: TABLE reservation; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.reservation TO creditplus_app;


--
-- Name: COLUMN reservation.amount_fen; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(amount_fen) ON TABLE public.reservation TO creditplus_app;


--
-- Name: COLUMN reservation.settled_fen; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(settled_fen) ON TABLE public.reservation TO creditplus_app;


--
-- Name: COLUMN reservation.state; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(state) ON TABLE public.reservation TO creditplus_app;


--
-- Name: COLUMN reservation.expires_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(expires_at) ON TABLE public.reservation TO creditplus_app;


--
-- Name: COLUMN reservation.closed_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(closed_at) ON TABLE public.reservation TO creditplus_app;


--
-- Name: TABLE review_case; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.text_sealed; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(text_sealed) ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.state; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(state) ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.taken_by; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(taken_by) ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.outcome; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(outcome) ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.answer_zh; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(answer_zh) ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.answer_en; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(answer_en) ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.decided_by; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(decided_by) ON TABLE public.review_case TO creditplus_app;


--
-- Name: COLUMN review_case.decided_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(decided_at) ON TABLE public.review_case TO creditplus_app;


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
-- Name: TABLE service_order; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.reservation_id; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(reservation_id) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.state; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(state) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.confirmed_by; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(confirmed_by) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.amount_fen; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(amount_fen) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.credit_fen; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(credit_fen) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.settled_fen; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(settled_fen) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.performance; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(performance) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.revision; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(revision) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.activated_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(activated_at) ON TABLE public.service_order TO creditplus_app;


--
-- Name: COLUMN service_order.ended_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(ended_at) ON TABLE public.service_order TO creditplus_app;


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
-- Name: TABLE waiting; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.waiting TO creditplus_app;


--
-- Name: COLUMN waiting.granted_by_case_id; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(granted_by_case_id) ON TABLE public.waiting TO creditplus_app;


--
-- Name: TABLE webhook_delivery; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.webhook_delivery TO creditplus_app;


--
-- Name: COLUMN webhook_delivery.state; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(state) ON TABLE public.webhook_delivery TO creditplus_app;


--
-- Name: COLUMN webhook_delivery.tries; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(tries) ON TABLE public.webhook_delivery TO creditplus_app;


--
-- Name: COLUMN webhook_delivery.due_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(due_at) ON TABLE public.webhook_delivery TO creditplus_app;


--
-- Name: COLUMN webhook_delivery.ended_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(ended_at) ON TABLE public.webhook_delivery TO creditplus_app;


--
-- Name: TABLE webhook_endpoint; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_endpoint TO creditplus_app;


--
-- Name: TABLE webhook_try; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.webhook_try TO creditplus_app;


--
-- Name: TABLE work_calendar; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.work_calendar TO creditplus_app;


--
-- PostgreSQL database dump complete
--

\unrestrict creditplus

