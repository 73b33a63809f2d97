"""The sources of a city: who hands records in, and how each names the columns of its exports."""

import re
from collections.abc import Mapping

import msgspec

from backend.record.rules.denied import find_denied

# The columns of a file of records, by the names this service gives them.
COLUMN_NAMES = (
    *("national_id", "external_id", "version", "action"),
    *("occurred_on", "ended_on", "quantity"),
)
HEADER_CHARACTERS_MAX = 64
TEXT_LONGEST = 300

CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source department or company that hands in records.

    `columns` says what a column is called in this source's exports (our name = its header), and
    `class_columns` where the exports of one class call it otherwise. What is not named there is
    called as we call it.
    """

    code: str
    name_zh: str
    name_en: str
    kind: str
    columns: dict[str, str] = {}
    class_columns: dict[str, dict[str, str]] = {}

    def columns_of(self, class_code: str) -> Mapping[str, str]:
        """Return our column name → the header of this source's exports of a class."""
        return {**self.columns, **self.class_columns.get(class_code, {})}


def text_faults(what: str, text: str, *, longest: int = TEXT_LONGEST) -> list[str]:
    """Hold what people read to what shows as it is stored: nothing unseen, nothing turned round."""
    if not text.strip():
        return [f"{what} is empty"]
    if len(text) > longest or not text.isprintable():
        return [f"{what} is at most {longest} printable characters"]
    return []


def source_faults(source: Source, class_codes: set[str]) -> list[str]:
    """Give what is wrong with one source, looked at by itself."""
    faults: list[str] = []
    if not CODE.fullmatch(source.code):
        faults.append("a code is lower_snake_case")
    for name in ("name_zh", "name_en"):
        faults += text_faults(name, getattr(source, name))
    faults += [
        f"class_columns: unknown class {code}"
        for code in sorted({*source.class_columns} - class_codes)
    ]
    faults += _columns_faults("columns", source.columns, source.columns)
    for code, own in source.class_columns.items():
        faults += _columns_faults(f"class_columns {code}", own, source.columns_of(code))
    return faults


def _columns_faults(what: str, own: Mapping[str, str], whole: Mapping[str, str]) -> list[str]:
    """Look at the names given in `own`, and at `whole`: what holds with them."""
    faults = [f"{what}: unknown column {name}" for name in sorted(own.keys() - {*COLUMN_NAMES})]
    for name, header in own.items():
        if header != header.strip() or not header.isprintable() or not header:
            faults.append(f"{what}: the header of {name} is empty, padded or not printable")
        if len(header) > HEADER_CHARACTERS_MAX:
            faults.append(f"{what}: the header of {name} is longer than {HEADER_CHARACTERS_MAX}")
        if denied := find_denied(header):
            faults.append(f"{what}: deny-listed content ({', '.join(denied)}): 条例 art. 14")
    # A column that isn't named keeps our name, so another one can't take it.
    called = [whole.get(name, name) for name in COLUMN_NAMES]
    faults += [
        f"{what}: two columns are called {header}"
        for header in sorted({each for each in called if called.count(each) > 1})
    ]
    return faults
