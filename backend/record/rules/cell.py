"""What a single cell may hold. Each check returns the value, or the code of what is wrong."""

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from backend.citizen.rules import ADULT_YEARS, age_on, parse_national_id
from backend.kit.problem import Refusal
from backend.record.rules.fault import FIELD_CHARACTERS_MAX, VERSION_MAX, FaultCode
from backend.record.rules.life import Action
from backend.record.rules.personal import PERSONAL_CHARACTERS_MIN, holds_personal_number

# The source's own number, in any script: docket numbers read （2026）沪0101执123号. A space at its
# end is padding, by which an export would give every number a second time.
EXTERNAL_ID = re.compile(r"(?=[\w（(〔\[])[\w（）()〔〕\[\] ./:#-]{1,64}(?<! )")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(rf"[0-9]{{1,{FIELD_CHARACTERS_MAX}}}")
_NEGATIVE = re.compile(r"-[0-9]+(?:\.[0-9]+)?")
_FORMULA_STARTS = ("=", "+", "-", "@")
_ACTIONS: dict[str, Action] = {
    "": "report",
    "report": "report",
    "withdraw": "withdraw",
    "repair": "repair",
}


class Person(NamedTuple):
    """Somebody a line may be about."""

    number: str
    born_on: date


def person_of(text: str, today: date) -> Person | FaultCode:
    """Read an identity number (GB 11643) of somebody who is of age."""
    if not text:
        return FaultCode.FIELD_MISSING
    try:
        national_id = parse_national_id(text, today=today)
    except Refusal as refusal:
        return {
            "form": FaultCode.NATIONAL_ID_FORM,
            "check_character": FaultCode.NATIONAL_ID_CHECK,
        }.get(str(refusal.facts["fault"]), FaultCode.NATIONAL_ID_DATE)
    if age_on(national_id.born_on, today) < ADULT_YEARS:
        return FaultCode.PERSON_UNDER_AGE
    return Person(national_id.number, national_id.born_on)


def external_id_of(text: str) -> str | FaultCode:
    """Read the source's own number of a record."""
    if not EXTERNAL_ID.fullmatch(text):
        return FaultCode.EXTERNAL_ID_FORMAT if text else FaultCode.FIELD_MISSING
    if len(text) >= PERSONAL_CHARACTERS_MIN and holds_personal_number(text):
        return FaultCode.EXTERNAL_ID_PERSONAL
    return text


@lru_cache(maxsize=16_384)  # a file holds few different days
def day_of(text: str) -> date | FaultCode:
    """Read a day of the calendar, YYYY-MM-DD."""
    if not _DAY.fullmatch(text):
        return FaultCode.DATE_FORMAT if text else FaultCode.FIELD_MISSING
    try:
        return date.fromisoformat(text)
    except ValueError:
        return FaultCode.DATE_FORMAT


def version_of(text: str) -> int | FaultCode:
    """Read a version; 1 when left out."""
    if text in {"", "1"}:
        return 1
    if not _NUMBER.fullmatch(text):
        return FaultCode.NUMBER_FORMAT
    return int(text) if 1 <= int(text) <= VERSION_MAX else FaultCode.VERSION_RANGE


def quantity_of(text: str, most: int) -> int | FaultCode:
    """Read a quantity of at most `most`; 1 when left out."""
    if text in {"", "1"}:
        return 1
    if not _NUMBER.fullmatch(text):
        return FaultCode.QUANTITY_NEGATIVE if _NEGATIVE.fullmatch(text) else FaultCode.NUMBER_FORMAT
    quantity = int(text)
    if quantity == 0:
        return FaultCode.QUANTITY_ZERO
    return quantity if quantity <= most else FaultCode.QUANTITY_TOO_LARGE


def action_of(text: str, *, is_adverse: bool) -> Action | FaultCode:
    """Read what a line wants; a report when left out. Only what is adverse can be repaired."""
    action = _ACTIONS.get(text)
    if action is None:
        return FaultCode.ACTION_UNKNOWN
    if action == "repair" and not is_adverse:
        return FaultCode.REPAIR_NOT_ADVERSE
    return action


def closer(code: FaultCode, cell: str) -> FaultCode:
    """Name the deeper cause of a cell that fits no format."""
    if len(cell) > FIELD_CHARACTERS_MAX:
        return FaultCode.FIELD_TOO_LONG
    if cell.startswith(_FORMULA_STARTS) and code is not FaultCode.QUANTITY_NEGATIVE:
        return FaultCode.FORMULA_LIKE
    return code
