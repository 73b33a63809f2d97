"""What must hold in the database whenever no transaction is open: no state is half done.

Each entry is a sentence and a query that finds what breaks it.
"""

import asyncpg

BOOKS = {
    "a consent has the one grant it was given with": """
        SELECT consent.consent_id FROM consent
        LEFT JOIN oauth_grant AS g USING (subject_id, consent_id)
        GROUP BY consent.consent_id HAVING count(g.grant_id) <> 1""",
    "a grant has a consent": """
        SELECT g.grant_id FROM oauth_grant AS g
        LEFT JOIN consent USING (subject_id, consent_id) WHERE consent.consent_id IS NULL""",
    "a grant that stands has a consent that stands": """
        SELECT g.grant_id FROM oauth_grant AS g JOIN consent USING (subject_id, consent_id)
        WHERE g.revoked_at IS NULL AND consent.ended_at IS NOT NULL""",
    "a grant has the one code it was made with, and a code its grant": """
        SELECT coalesce(g.grant_id, code.grant_id) FROM oauth_grant AS g
        FULL JOIN oauth_code AS code USING (grant_id)
        GROUP BY 1 HAVING count(g.grant_id) <> 1 OR count(code.code_hash) <> 1""",
    "a request that was answered has its consent or its refusal": """
        SELECT 1 WHERE (SELECT count(*) FROM oauth_request WHERE consumed_at IS NOT NULL) <>
          (SELECT count(*) FROM consent) + (SELECT count(*) FROM consent_refusal)""",
    "a code that was used has its tokens, one that was not has none": """
        SELECT code.grant_id FROM oauth_code AS code
        WHERE (code.consumed_at IS NOT NULL) <> EXISTS (
                SELECT FROM oauth_access_token AS t WHERE t.grant_id = code.grant_id)
           OR (code.consumed_at IS NOT NULL)::int <> (
                SELECT count(*) FROM oauth_refresh_token AS t WHERE t.grant_id = code.grant_id)""",
    "a token has a grant": """
        SELECT t.grant_id FROM oauth_access_token AS t
        LEFT JOIN oauth_grant AS g USING (grant_id) WHERE g.grant_id IS NULL""",
    "taken seats are running enrolments": """
        SELECT budget.programme_code FROM seat_budget AS budget WHERE budget.seats_taken <> (
          SELECT count(*) FROM enrolment
          WHERE enrolment.programme_code = budget.programme_code AND ended_at IS NULL)""",
    "what hangs on taking part ends with it": """
        SELECT subject_id FROM (
          SELECT subject_id FROM score UNION ALL SELECT subject_id FROM enrolment
          UNION ALL SELECT subject_id FROM consent WHERE ended_at IS NULL
          UNION ALL SELECT subject_id FROM decision WHERE trace_sealed IS NOT NULL) AS hanging
        WHERE subject_id NOT IN (SELECT subject_id FROM participation)""",
    "who takes part has a score": """
        SELECT subject_id FROM participation
        WHERE subject_id NOT IN (SELECT subject_id FROM score)""",
    "an account has a phone, and a phone an account": """
        SELECT subject_id FROM account FULL JOIN phone_directory USING (subject_id)
        WHERE account.subject_id IS NULL OR phone_directory.subject_id IS NULL""",
    "a session has an account": """
        SELECT subject_id FROM session WHERE subject_id NOT IN (SELECT subject_id FROM account)""",
    "a decision has its one look, and a look its decision": """
        SELECT decision_id FROM decision FULL JOIN (
            SELECT * FROM access_entry WHERE actor_kind <> 'operator'
        ) AS access_entry USING (subject_id, decision_id)
        GROUP BY decision_id
        HAVING count(*) <> 1 OR count(decision.eligible) <> 1 OR count(access_entry.disclosed) <> 1
            OR bool_or(decision.eligible <> (access_entry.disclosed = 'eligible'))
            OR bool_or(decision.consent_id <> access_entry.consent_id)""",
    "an answer that is kept for repetition is true": """
        SELECT key FROM idempotency_key
        WHERE convert_from(answer, 'UTF8')::jsonb ? 'enrolment_id' AND NOT EXISTS (
          SELECT FROM enrolment WHERE enrolment.subject_id = idempotency_key.owner_id
            AND enrolment.enrolment_id::text
              = convert_from(answer, 'UTF8')::jsonb ->> 'enrolment_id')""",
    "a file that came in is in, line by line": """
        SELECT submission_id FROM submission WHERE completed_at IS NULL
           OR accepted - duplicates <> (SELECT count(*) FROM record
                           WHERE record.submission_id = submission.submission_id)""",
    "each event was carried out": """
        SELECT event_id FROM outbox WHERE done_at IS NULL""",
}


async def broken(database_url: str) -> dict[str, list[str]]:
    """Return the sentences that do not hold, with what breaks them."""
    connection = await asyncpg.connect(database_url)
    try:
        return await broken_in(connection, BOOKS)
    finally:
        await connection.close()


async def broken_in(connection: asyncpg.Connection, books: dict[str, str]) -> dict[str, list[str]]:
    """Return the sentences of some books that do not hold, with what breaks them."""
    found = {}
    for sentence, sql in books.items():
        if rows := await connection.fetch(sql):
            found[sentence] = [str(row[0]) for row in rows[:5]]
    return found
