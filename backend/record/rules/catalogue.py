"""The catalogue: which kinds of record may exist at all, and who may report them.

Data files say it, this module proves it: only catalogued classes, each with a legal basis, none
of the contents nobody may collect (征信业管理条例 art. 14), adverse items published within the
limits of their severity (NDRC Order 36).
"""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from backend.record.rules.denied import find_consented, find_denied
from backend.record.rules.source import (
    CODE,
    TEXT_LONGEST,
    Source,
    source_faults,
    text_faults,
)

T = TypeVar("T", bound=msgspec.Struct)

Dimension = Literal["identity", "performance", "law", "economic", "civic"]
Polarity = Literal["positive", "neutral", "adverse"]
Severity = Literal["minor", "general", "serious"]
Sensitivity = Literal["plain", "written_consent"]
Basis = Literal["statute", "local_catalogue", "consent"]

DIMENSIONS: tuple[Dimension, ...] = ("identity", "performance", "law", "economic", "civic")

# NDRC Order 36: the least and the most months an item of each severity may be published.
PUBLICATION_MONTHS: Mapping[str, tuple[int, int]] = {
    "minor": (0, 3),
    "general": (3, 12),
    "serious": (12, 36),
}
# 征信业管理条例 art. 16: five years from the end of the conduct or event.
ADVERSE_MONTHS_MAX = 60
RETENTION_MONTHS_MAX = 600
QUANTITY_MAX = 1_000_000_000
_HEADER_TEXTS = {
    "name_zh": TEXT_LONGEST,
    "name_en": TEXT_LONGEST,
    "notes_zh": 2_000,
    "notes_en": 2_000,
}
MAX_CLASSES = 1_000
# What each basis can bear of what speaks against people.
_SEVERITIES: Mapping[Basis, tuple[Severity, ...]] = {
    "statute": ("minor", "general", "serious"),
    "local_catalogue": ("minor", "general"),
    "consent": ("minor",),
}
_CITED = re.compile(r"《[^》]+》")
_LOCAL_CITED = re.compile(r"《[^》]*(?:条例|目录)[^》]*》")
_CONSENT_LAW = "中华人民共和国个人信息保护法"
_UNNAMED = "《本市"
_EDITION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,31})")
WORKING_DAYS_MAX = 60


class DataFault(Exception):
    """A data file can't be used; `faults` says why, one line each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        assert self.faults, "a fault without a fault"
        super().__init__("\n".join(self.faults))


class ValueColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one number a record of a class carries: what it counts, in which unit, up to what."""

    name_zh: str
    name_en: str
    unit_zh: str
    unit_en: str
    max: int


class RecordClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of record: what it says, on which legal basis, who reports it, how long it lives.

    `publication_*_months` and `severity` belong to adverse classes only; the rest live
    `retention_months` from the end of what they report. `is_lasting`: what it reports goes on
    until the source reports its end (a registration, a licence). A record has to come in
    `report_within_working_days` of what it reports; None where no rule sets a clock.
    `basis`: what lets the source hand it over: a statute, the city's own catalogue under a local
    regulation, or the consent that the people it is about gave the source. `programme_kinds`: the
    kinds of programme it can help with.
    """

    code: str
    name_zh: str
    name_en: str
    dimension: Dimension
    legal_basis: str
    source_kinds: list[str]
    polarity: Polarity
    value: ValueColumn
    retention_months: int
    sensitivity: Sensitivity
    is_lasting: bool = False
    severity: Severity | None = None
    publication_min_months: int | None = None
    publication_max_months: int | None = None
    report_within_working_days: int | None = None
    basis: Basis = "statute"
    programme_kinds: list[str] = []

    @property
    def is_adverse(self) -> bool:
        """Whether a record of this class can speak against somebody, and so must end."""
        return self.polarity == "adverse"


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """An edition of the catalogue and the sources of this city, proved by `load_catalogue`.

    `digest` is the SHA-256 of both texts, see `digest_catalogue`.
    """

    edition: str
    name_zh: str
    name_en: str
    classes: dict[str, RecordClass]
    sources: dict[str, Source]
    digest: bytes
    notes_zh: str = ""
    notes_en: str = ""

    def may_report(self, source: Source, record_class: RecordClass) -> bool:
        """Say whether a source is of a kind that may report this class."""
        return source.kind in record_class.source_kinds


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """What an edition says about itself."""

    edition: str
    name_zh: str
    name_en: str
    source_kinds: list[str]
    notes_zh: str = ""
    notes_en: str = ""


_CATALOGUE_MEMBERS = {*_Header.__struct_fields__, "class"}


def digest_catalogue(catalogue_text: str, sources_text: str) -> bytes:
    """Return the SHA-256 that names an edition's two texts together."""
    parts = (catalogue_text.encode(), sources_text.encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def bases_to_name(catalogue: Catalogue) -> list[str]:
    """Return the classes that rest on a regulation the model can't name: a city names its own."""
    return [each.code for each in catalogue.classes.values() if _UNNAMED in each.legal_basis]


def load_catalogue(catalogue_text: str, sources_text: str) -> Catalogue:
    """Read and prove a catalogue and the city's sources, each TOML or JSON.

    Raises DataFault with every fault found in both.
    """
    faults: list[str] = []
    raw = read_document(catalogue_text, "catalogue", faults)
    raw_sources = read_document(sources_text, "sources", faults)
    unknown = sorted(raw.keys() - _CATALOGUE_MEMBERS)
    unknown += [f"{name} (sources)" for name in sorted(raw_sources.keys() - {"source"})]
    faults += [f"catalogue: unknown member {name}" for name in unknown]
    header = _header(raw, faults)
    faults += _header_faults(header)
    classes = convert_tables(raw.get("class"), RecordClass, "class", faults)
    sources = convert_tables(raw_sources.get("source"), Source, "source", faults)
    for record_class in classes:
        found = _class_faults(record_class, header.source_kinds)
        faults += [f"class {record_class.code}: {fault}" for fault in found]
    codes = {item.code for item in classes}
    for source in sources:
        found = source_faults(source, codes)
        if source.kind not in header.source_kinds:
            found.append(f"unknown source kind {source.kind}")
        faults += [f"source {source.code}: {fault}" for fault in found]
    faults += _repeated("class", [item.code for item in classes])
    faults += _repeated("source", [item.code for item in sources])
    if not classes:
        faults.append("catalogue: no class")
    if len(classes) > MAX_CLASSES:
        faults.append(f"catalogue: more than {MAX_CLASSES} classes")
    if faults:
        raise DataFault(faults)
    return _catalogue(header, classes, sources, digest_catalogue(catalogue_text, sources_text))


def restore_catalogue(catalogue_text: str, sources_text: str) -> Catalogue:
    """Read an edition that was proved when it was published, without proving it again.

    A later release may prove more; what a city published stays in force until its next edition.
    Raises DataFault when the texts can't be read at all.
    """
    faults: list[str] = []
    raw = read_document(catalogue_text, "catalogue", faults)
    raw_sources = read_document(sources_text, "sources", faults)
    header = _header(raw, faults)
    classes = convert_tables(raw.get("class"), RecordClass, "class", faults)
    sources = convert_tables(raw_sources.get("source"), Source, "source", faults)
    if faults:
        raise DataFault(faults)
    digest = digest_catalogue(catalogue_text, sources_text)
    return _catalogue(header, classes, sources, digest)


def read_document(text: str, what: str, faults: list[str]) -> dict[str, Any]:
    """Read a data file, JSON when it begins with a brace and TOML otherwise.

    What can't be read is appended to `faults`, and the document is empty.
    """
    try:
        if not text.lstrip().startswith("{"):
            return tomllib.loads(text)
        raw = json.loads(text, object_pairs_hook=_unrepeated)
    except tomllib.TOMLDecodeError as fault:
        faults.append(f"{what}: not TOML: {fault}")
    except (ValueError, RecursionError) as fault:
        faults.append(f"{what}: not JSON: {fault}")
    else:
        assert isinstance(raw, dict), "what begins with a brace is an object"
        return raw
    return {}


def _catalogue(
    header: _Header, classes: list[RecordClass], sources: list[Source], digest: bytes
) -> Catalogue:
    return Catalogue(
        edition=header.edition,
        name_zh=header.name_zh,
        name_en=header.name_en,
        classes={item.code: item for item in classes},
        sources={item.code: item for item in sources},
        digest=digest,
        notes_zh=header.notes_zh,
        notes_en=header.notes_en,
    )


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that is given twice, as TOML does: the last one would win unseen."""
    names = [name for name, _ in pairs]
    if len({*names}) < len(names):
        raise ValueError(f"given twice: {', '.join({n for n in names if names.count(n) > 1})}")
    return dict(pairs)


def _header(raw: Mapping[str, Any], faults: list[str]) -> _Header:
    try:
        header = msgspec.convert(raw, _Header)
    except msgspec.ValidationError as fault:
        faults.append(f"catalogue: {fault}")
        kinds = raw.get("source_kinds")
        kept = [item for item in kinds if isinstance(item, str)] if isinstance(kinds, list) else []
        return _Header(edition="", name_zh="", name_en="", source_kinds=kept)
    if not _EDITION.fullmatch(header.edition):
        faults.append("catalogue: edition is 1 to 32 letters, digits, dots and dashes")
    if not header.name_zh.strip() or not header.name_en.strip():
        faults.append("catalogue: name_zh and name_en say whose catalogue it is")
    return header


def _header_faults(header: _Header) -> list[str]:
    """Give what is wrong with the texts of a header; what must be there is asked for before."""
    faults: list[str] = []
    for name, longest in _HEADER_TEXTS.items():
        text = getattr(header, name).replace("\n", "" if name.startswith("notes") else "\n")
        faults += text_faults(name, text, longest=longest) if text else []
    return [f"catalogue: {fault}" for fault in faults]


def convert_tables(value: object, kind: type[T], what: str, faults: list[str]) -> list[T]:
    """Convert each TOML table to `kind`; what is wrong with one is appended to `faults`.

    Each by itself, so that one wrong table does not hide the faults of the others.
    """
    found: list[T] = []
    for position, table in enumerate(value if isinstance(value, list) else [], start=1):
        name = table.get("code", f"number {position}") if isinstance(table, dict) else position
        try:
            found.append(msgspec.convert(table, kind))
        except msgspec.ValidationError as fault:
            faults.append(f"{what} {name}: {fault}")
    return found


def _repeated(what: str, codes: list[str]) -> list[str]:
    return [f"{what} {code}: given twice" for code, count in Counter(codes).items() if count > 1]


def _class_faults(item: RecordClass, source_kinds: list[str]) -> list[str]:
    """Give what is wrong with one class, looked at by itself."""
    faults: list[str] = []
    if not CODE.fullmatch(item.code):
        faults.append("a code is lower_snake_case")
    texts = {"name_zh": item.name_zh, "name_en": item.name_en} | {
        f"value.{name}": getattr(item.value, name)
        for name in ("name_zh", "name_en", "unit_zh", "unit_en")
    }
    faults += [fault for name, text in texts.items() for fault in text_faults(name, text)]
    if not item.source_kinds:
        faults.append("no source kind may report it")
    faults += [
        f"unknown source kind {kind}" for kind in item.source_kinds if kind not in source_kinds
    ]
    if not 1 <= item.value.max <= QUANTITY_MAX:
        faults.append(f"value.max must be 1 to {QUANTITY_MAX}")
    if not 1 <= item.retention_months <= RETENTION_MONTHS_MAX:
        faults.append(f"retention_months must be 1 to {RETENTION_MONTHS_MAX}")
    days = item.report_within_working_days
    if days is not None and not 1 <= days <= WORKING_DAYS_MAX:
        faults.append(f"report_within_working_days must be 1 to {WORKING_DAYS_MAX}")
    if len({*item.programme_kinds}) < len(item.programme_kinds):
        faults.append("programme_kinds: given twice")
    faults += [
        f"programme_kinds: {kind} is no code (lower_snake_case)"
        for kind in item.programme_kinds
        if not CODE.fullmatch(kind)
    ]
    return faults + _basis_faults(item) + _content_faults(item) + _publication_faults(item)


def _basis_faults(item: RecordClass) -> list[str]:
    """Hold a class to what its basis can bear.

    Only a statute can hold something against somebody for years; what rests on consent can be
    forgotten as fast as the mildest item of Order 36.
    """
    if not item.legal_basis.strip():
        return ["no legal basis: nothing is collected without one"]
    faults = text_faults("legal_basis", item.legal_basis)
    if not _CITED.search(item.legal_basis):
        faults.append("no legal basis: none is named (《…》)")
    if item.basis == "consent" and _CONSENT_LAW not in item.legal_basis:
        faults.append(f"basis consent rests on 《{_CONSENT_LAW}》 art. 13: name it")
    if item.basis == "local_catalogue" and not _LOCAL_CITED.search(item.legal_basis):
        faults.append("basis local_catalogue names the local regulation (《…条例》 or 《…目录》)")
    if item.is_adverse and item.severity not in {None, *_SEVERITIES[item.basis]}:
        faults.append(f"basis {item.basis} bears no {item.severity} adverse item")
    return faults


def _content_faults(item: RecordClass) -> list[str]:
    """Look for what nobody may collect in everything the class says about itself."""
    faults: list[str] = []
    value = item.value
    texts = (
        *(item.code, item.name_zh, item.name_en),
        *(value.name_zh, value.name_en, value.unit_zh, value.unit_en),
        item.legal_basis,  # whatever its name: what the law on blood donors allows is about blood
    )
    if denied := find_denied(*texts):
        faults.append(f"deny-listed content ({', '.join(denied)}): 征信业管理条例 art. 14")
    consented = find_consented(*texts)
    if consented and item.sensitivity != "written_consent":
        faults.append(f"{', '.join(consented)} needs sensitivity written_consent: 条例 art. 14")
    return faults


def _publication_faults(item: RecordClass) -> list[str]:
    least, most = item.publication_min_months, item.publication_max_months
    if not item.is_adverse:
        if (item.severity, least, most) != (None, None, None):
            return ["severity and publication months belong to adverse classes only"]
        return []
    if item.severity is None or least is None or most is None:
        return ["an adverse class needs severity, publication_min_months, publication_max_months"]
    faults: list[str] = []
    low, high = PUBLICATION_MONTHS[item.severity]
    if not low <= least <= most <= high:
        faults.append(f"{item.severity} items are published {low} to {high} months (Order 36)")
    if item.retention_months > ADVERSE_MONTHS_MAX:
        faults.append(f"adverse items are kept {ADVERSE_MONTHS_MAX} months at most (条例 art. 16)")
    return faults
