"""Operators' looks at people: each stands in the person's access ledger before anything is told.

Lines of a file are looks too: whoever reads a bad line, or asks what became of one, learns about
the person whose identity number stands in it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from backend.citizen.rules import parse_national_id
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import AccessEntry
from backend.record.rules.layout import Encoding
from backend.record.rules.status import check_words

DATA_KIND = "records"
_NATIONAL_ID = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})")  # a character in JSON (RFC 8259 section 7)


class Looking(StrEnum):
    """What an operator looks at records for."""

    REVIEW = "record_review"
    BAD_LINES = "submission_review"
    PROOF = "purge_proof"


class _Words(NamedTuple):
    zh: str
    en: str


_PURPOSES = {
    Looking.REVIEW: _Words(
        "核查信用信息（异议、修复）", "Looking into records (disputes, repairs)"
    ),
    Looking.BAD_LINES: _Words("核对报送中有误的行", "Looking into lines that were kept aside"),
    Looking.PROOF: _Words("核对删除证明", "Looking up the proof of a deletion"),
}


async def look_at_lines(
    tx: Tx,
    *,
    lines: Iterable[bytes],
    encoding: Encoding,
    looking: Looking,
    actor: str,
    reason: str,
    vault: Vault,
    now: datetime,
) -> int:
    """Write a look for everybody whose identity number stands in `lines`; return how many.

    The caller tells nobody of the lines before this transaction has committed. Raises Refusal
    record_words_invalid.
    """
    check_words(actor=actor, reason=reason)
    found: Counter[UUID] = Counter()
    for line in lines:
        numbers = _numbers_in(line.decode(encoding, "replace"), city_date(now))
        found.update({vault.subject_id(number) for number in numbers})
    entries = [
        look_entry(
            subject_id, looking, actor=actor, reason=reason, disclosed=f"lines:{count}", now=now
        )
        for subject_id, count in sorted(found.items())
    ]
    if entries:
        await ledger.record_access(tx, entries=entries)
    return len(entries)


def look_entry(
    subject_id: UUID, looking: Looking, *, actor: str, reason: str, disclosed: str, now: datetime
) -> AccessEntry:
    """Return what one look of an operator leaves behind."""
    purpose = _PURPOSES[looking]
    return AccessEntry(
        subject_id=subject_id,
        entry_id=new_id(now),
        actor_kind="operator",
        actor_id=actor,
        actor_name_zh=actor,
        actor_name_en=actor,
        action="record:read",
        data_kinds=[DATA_KIND],
        purpose=looking.value,
        purpose_zh=f"{purpose.zh}：{reason}",
        purpose_en=f"{purpose.en}: {reason}",
        consent_id=None,
        programme_code=None,
        decision_id=None,
        disclosed=disclosed,
        at=now,
    )


def _numbers_in(text: str, today: date) -> set[str]:
    """Return the identity numbers in a line, however written: by their check characters."""
    numbers = set()
    plain = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), text)
    for match in _NATIONAL_ID.findall(unicodedata.normalize("NFKC", plain)):
        try:
            numbers.add(parse_national_id(match, today=today).number)
        except Refusal:
            continue
    return numbers
