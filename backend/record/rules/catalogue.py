"""The catalogue: which kinds of record may exist at all, and who may report them.

Data files say it, this module proves it: only catalogued classes, each with a legal basis, none
of the contents nobody may collect (征信业管理条例 art. 14), adverse items published within the
limits of their severity (NDRC Order 36).
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

Dimension = Literal["identity", "performance", "law", "economic", "civic"]
Polarity = Literal["positive", "neutral", "adverse"]
Severity = Literal["minor", "general", "serious"]
Sensitivity = Literal["plain", "written_consent"]

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
MAX_CLASSES = 1_000

# 征信业管理条例 art. 14 and product line 6: no consent makes these collectable.
_DENIED_ZH = (
    *("宗教", "信仰", "基因", "指纹", "血型", "献血", "疾病", "病史", "病历"),
    *("政治", "位置轨迹", "行踪", "社交", "言论", "发帖"),
)
_DENIED_EN = re.compile(
    r"\b(?:religio\w*|genes?|genetic\w*|dna|fingerprints?|blood|diseases?|illness\w*"
    r"|medical|health|politic\w*|opinions?|location|whereabouts|social[ _](?:graph|network)\w*"
    r"|friends?|speech|posts?)\b"
)
# Art. 14 second paragraph: only with the person's written consent to this very use.
_CONSENTED_ZH = ("收入", "存款", "有价证券", "商业保险", "不动产", "纳税数额", "税额")
_CONSENTED_EN = re.compile(
    r"\b(?:income|salary|wages?|deposits?|savings|securities|shares|real estate|property value"
    r"|commercial insurance|tax amounts?|tax paid)\b"
)
_CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class DataFault(Exception):
    """A data file can't be used; `faults` says why, one line each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        assert self.faults, "a fault without a fault"
        super().__init__("\n".join(self.faults))


class RecordClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of record: what it says, on which legal basis, who reports it, how long it lives.

    `publication_*_months` and `severity` belong to adverse classes only; the rest live
    `retention_months` from the end of what they report. `is_lasting`: what it reports goes on
    until the source reports its end (a registration, a licence).
    """

    code: str
    name_zh: str
    name_en: str
    dimension: Dimension
    legal_basis: str
    source_kinds: list[str]
    polarity: Polarity
    unit_zh: str
    unit_en: str
    quantity_max: int
    retention_months: int
    sensitivity: Sensitivity
    is_lasting: bool = False
    severity: Severity | None = None
    publication_min_months: int | None = None
    publication_max_months: int | None = None

    @property
    def is_adverse(self) -> bool:
        """Whether a record of this class can speak against somebody, and so must end."""
        return self.polarity == "adverse"


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source department or company that hands in records."""

    code: str
    name_zh: str
    name_en: str
    kind: str


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """An edition of the catalogue and the sources of this city, proved by `load_catalogue`."""

    edition: str
    classes: dict[str, RecordClass]
    sources: dict[str, Source]

    def may_report(self, source: Source, record_class: RecordClass) -> bool:
        """Say whether a source is of a kind that may report this class."""
        return source.kind in record_class.source_kinds


def load_catalogue(catalogue_text: str, sources_text: str) -> Catalogue:
    """Read and prove a catalogue (TOML) and the city's sources (TOML).

    Raises DataFault with every fault found in both.
    """
    faults: list[str] = []
    raw = _read(catalogue_text, "catalogue", faults)
    raw_sources = _read(sources_text, "sources", faults)
    edition = raw.get("edition")
    if not isinstance(edition, str) or not edition:
        faults.append("catalogue: edition must be a text")
    kinds = _texts(raw.get("source_kinds"), "catalogue: source_kinds", faults)
    classes = convert_tables(raw.get("class"), RecordClass, "class", faults)
    sources = convert_tables(raw_sources.get("source"), Source, "source", faults)
    for record_class in classes:
        faults += [f"class {record_class.code}: {fault}" for fault in _faults_of(record_class)]
        for kind in record_class.source_kinds:
            if kind not in kinds:
                faults.append(f"class {record_class.code}: unknown source kind {kind}")
    for source in sources:
        if source.kind not in kinds:
            faults.append(f"source {source.code}: unknown source kind {source.kind}")
        if not _CODE.fullmatch(source.code):
            faults.append(f"source {source.code}: a code is lower_snake_case")
    faults += _repeated("class", [item.code for item in classes])
    faults += _repeated("source", [item.code for item in sources])
    if not classes:
        faults.append("catalogue: no class")
    if len(classes) > MAX_CLASSES:
        faults.append(f"catalogue: more than {MAX_CLASSES} classes")
    if faults:
        raise DataFault(faults)
    return Catalogue(
        edition=str(edition),
        classes={item.code: item for item in classes},
        sources={item.code: item for item in sources},
    )


def _read(text: str, what: str, faults: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        faults.append(f"{what}: not TOML: {fault}")
        return {}


def _texts(value: object, what: str, faults: list[str]) -> list[str]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    faults.append(f"{what} must be a list of texts")
    return []


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


def _faults_of(item: RecordClass) -> list[str]:
    """Give what is wrong with one class, looked at by itself."""
    faults: list[str] = []
    if not _CODE.fullmatch(item.code):
        faults.append("a code is lower_snake_case")
    for name in ("name_zh", "name_en", "unit_zh", "unit_en"):
        if not str(getattr(item, name)).strip():
            faults.append(f"{name} is empty")
    if not item.legal_basis.strip():
        faults.append("no legal basis: nothing is collected without one")
    if not item.source_kinds:
        faults.append("no source kind may report it")
    if not 1 <= item.quantity_max <= QUANTITY_MAX:
        faults.append(f"quantity_max must be 1 to {QUANTITY_MAX}")
    if not 1 <= item.retention_months <= RETENTION_MONTHS_MAX:
        faults.append(f"retention_months must be 1 to {RETENTION_MONTHS_MAX}")
    return faults + _content_faults(item) + _publication_faults(item)


def _content_faults(item: RecordClass) -> list[str]:
    """Look for what nobody may collect in everything the class says about itself."""
    faults: list[str] = []
    chinese = f"{item.name_zh} {item.unit_zh}"
    english = f"{item.code} {item.name_en} {item.unit_en}".replace("_", " ").lower()
    denied = [word for word in _DENIED_ZH if word in chinese] + _DENIED_EN.findall(english)
    if denied:
        faults.append(f"deny-listed content ({', '.join(denied)}): 征信业管理条例 art. 14")
    consented = [word for word in _CONSENTED_ZH if word in chinese]
    consented += _CONSENTED_EN.findall(english)
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
