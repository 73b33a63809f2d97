"""What can be wrong with a line of a submission.

Messages never repeat what stood in a cell: faults are shown to more people than the data.
"""

from enum import StrEnum

import msgspec

LINE_BYTES_MAX = 8_192
FIELD_CHARACTERS_MAX = 256
VERSION_MAX = 1_000_000


class FaultCode(StrEnum):
    """What can be wrong with a line; stable, documented, for people and machines."""

    ACTION_UNKNOWN = "action_unknown"
    CHARACTER_FORBIDDEN = "character_forbidden"
    CLASS_CHANGED = "class_changed"
    COLUMNS_TOO_FEW = "columns_too_few"
    COLUMNS_TOO_MANY = "columns_too_many"
    CONDUCT_UNDER_AGE = "conduct_under_age"
    DATE_BEFORE_BIRTH = "date_before_birth"
    DATE_FORMAT = "date_format"
    DATE_FUTURE = "date_future"
    ENCODING_BROKEN = "encoding_broken"
    ENDED_BEFORE_START = "ended_before_start"
    EXTERNAL_ID_FORMAT = "external_id_format"
    EXTERNAL_ID_PERSONAL = "external_id_personal"
    FIELD_MISSING = "field_missing"
    FIELD_TOO_LONG = "field_too_long"
    FORMULA_LIKE = "formula_like"
    JSON_BROKEN = "json_broken"
    LINE_TOO_LONG = "line_too_long"
    MEMBER_REPEATED = "member_repeated"
    MEMBER_UNKNOWN = "member_unknown"
    NATIONAL_ID_CHECK = "national_id_check"
    NATIONAL_ID_DATE = "national_id_date"
    NATIONAL_ID_FORM = "national_id_form"
    NUMBER_FORMAT = "number_format"
    PERSON_UNDER_AGE = "person_under_age"
    QUANTITY_NEGATIVE = "quantity_negative"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    QUANTITY_ZERO = "quantity_zero"
    QUOTE_UNBALANCED = "quote_unbalanced"
    RECORD_ENDED = "record_ended"
    REPAIR_NOT_ADVERSE = "repair_not_adverse"
    VALUE_TYPE = "value_type"
    VERSION_CONFLICT = "version_conflict"
    VERSION_RANGE = "version_range"


MESSAGES: dict[FaultCode, str] = {
    FaultCode.ACTION_UNKNOWN: "the action is report, withdraw or repair",
    FaultCode.CHARACTER_FORBIDDEN: "the line holds a control or invisible character",
    FaultCode.CLASS_CHANGED: "this number is taken by another class: report under a new one",
    FaultCode.COLUMNS_TOO_FEW: "the line has fewer columns than the header",
    FaultCode.COLUMNS_TOO_MANY: "the line has more columns than the header",
    FaultCode.CONDUCT_UNDER_AGE: "the person was a minor then: it is held against nobody",
    FaultCode.DATE_BEFORE_BIRTH: "the day lies before the person was born",
    FaultCode.DATE_FORMAT: "not a day of the calendar written as YYYY-MM-DD",
    FaultCode.DATE_FUTURE: "the day lies in the future",
    FaultCode.ENCODING_BROKEN: "the line is not in the encoding of the file",
    FaultCode.ENDED_BEFORE_START: "the end lies before the beginning",
    FaultCode.EXTERNAL_ID_FORMAT: "the source's number is 1 to 64 letters, digits and ()[]./:#-_",
    FaultCode.EXTERNAL_ID_PERSONAL: "the source's number holds an identity or phone number",
    FaultCode.FIELD_MISSING: "the cell is empty",
    FaultCode.FIELD_TOO_LONG: f"the cell holds more than {FIELD_CHARACTERS_MAX} characters",
    FaultCode.FORMULA_LIKE: "the cell begins like a spreadsheet formula",
    FaultCode.JSON_BROKEN: "the line is not one JSON object",
    FaultCode.LINE_TOO_LONG: f"the line holds more than {LINE_BYTES_MAX} bytes",
    FaultCode.MEMBER_REPEATED: "the member is there more than once",
    FaultCode.MEMBER_UNKNOWN: "the object has a member that is none of the columns",
    FaultCode.NATIONAL_ID_CHECK: "the identity number's check character does not fit (GB 11643)",
    FaultCode.NATIONAL_ID_DATE: "the identity number holds no possible date of birth",
    FaultCode.NATIONAL_ID_FORM: "not an identity number of 18 characters",
    FaultCode.NUMBER_FORMAT: "not a whole number",
    FaultCode.PERSON_UNDER_AGE: "the person is a minor: nothing is taken about minors",
    FaultCode.QUANTITY_NEGATIVE: "the quantity is negative",
    FaultCode.QUANTITY_TOO_LARGE: "the quantity is larger than the catalogue allows for the class",
    FaultCode.QUANTITY_ZERO: "the quantity is zero: nothing happened, so there is no record",
    FaultCode.QUOTE_UNBALANCED: "a quotation mark is missing or stands in the wrong place",
    FaultCode.RECORD_ENDED: "the record has ended already: it counts no longer and is not kept",
    FaultCode.REPAIR_NOT_ADVERSE: "only records of an adverse class can be repaired",
    FaultCode.VALUE_TYPE: "version and quantity are whole numbers, all else is text",
    FaultCode.VERSION_CONFLICT: "this version came before with other content: raise the version",
    FaultCode.VERSION_RANGE: f"the version must be 1 to {VERSION_MAX}",
}

# A line that may not be collected is not collected in quarantine either: its number is kept.
LINE_NOT_KEPT = frozenset({FaultCode.CONDUCT_UNDER_AGE, FaultCode.PERSON_UNDER_AGE})


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong with one line; `column` is empty when it is the whole line."""

    line_number: int
    column: str
    code: FaultCode

    @property
    def message(self) -> str:
        """What is wrong, in words that repeat nothing of the data."""
        return MESSAGES[self.code]


class StoredFault(msgspec.Struct, frozen=True):
    """A fault as it is kept; `row_sealed` stands with the first fault of a line."""

    line_number: int
    fault_number: int
    column_name: str
    code: str
    message: str
    row_sealed: bytes | None
