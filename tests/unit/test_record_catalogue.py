"""Goal: a catalogue is proved before it counts, and nobody can catalogue what nobody may collect.

Method: the shipped catalogue and small spoilt copies of it through the loader, as TOML and JSON.
"""

import json
import tomllib
from importlib.resources import files

import msgspec
import pytest

from backend.record.rules.catalogue import (
    Catalogue,
    DataFault,
    load_catalogue,
    restore_catalogue,
)
from backend.record.rules.edition import classes_given_up

DATA = files("backend.record") / "data"
CATALOGUE_TEXT = (DATA / "catalogue-2026.toml").read_text()
SOURCES_TEXT = (DATA / "sources-2026.toml").read_text()
CATALOGUE = load_catalogue(CATALOGUE_TEXT, SOURCES_TEXT)

SMALL = """
edition = "t"
name_zh = "目录"
name_en = "Catalogue"
source_kinds = ["library", "court"]
[[class]]
code = "book"
name_zh = "图书归还"
name_en = "Book returned"
dimension = "performance"
legal_basis = "《公共图书馆法》"
source_kinds = ["library"]
polarity = "positive"
value = { name_zh = "册数", name_en = "items", unit_zh = "册", unit_en = "item", max = 10 }
retention_months = 36
sensitivity = "plain"
"""
SMALL_SOURCES = """
[[source]]
code = "city_library"
name_zh = "市图书馆"
name_en = "City Library"
kind = "library"
"""
ADVERSE = """
severity = "minor"
publication_min_months = 0
publication_max_months = 3
"""


def load_small(old: str = "", new: str = "", *, more: str = "") -> Catalogue:
    """Load the small catalogue with one thing changed."""
    assert old in SMALL
    return load_catalogue(SMALL.replace(old, new, 1) + more, SMALL_SOURCES)


def faults_of(old: str = "", new: str = "", *, more: str = "") -> str:
    """Load the small catalogue with one thing changed, and return what the loader says."""
    with pytest.raises(DataFault) as caught:
        load_small(old, new, more=more)
    return "\n".join(caught.value.faults)


class TestCatalogue:
    def test_the_shipped_catalogue_covers_five_dimensions_with_at_least_twelve_classes(self):
        assert len(CATALOGUE.classes) >= 12
        assert {each.dimension for each in CATALOGUE.classes.values()} == {
            *("identity", "performance", "law", "economic", "civic"),
        }

    def test_every_class_can_be_reported_by_some_source_of_this_city(self):
        for record_class in CATALOGUE.classes.values():
            assert any(
                CATALOGUE.may_report(source, record_class) for source in CATALOGUE.sources.values()
            ), record_class.code

    def test_the_police_report_nothing_that_speaks_against_anybody(self):
        """治安管理处罚法 (2025) 136: such records are sealed, and handed to nobody."""
        adverse = [each for each in CATALOGUE.classes.values() if each.is_adverse]
        assert not [each.code for each in adverse if "public_security" in each.source_kinds]

    def test_a_class_without_legal_basis_is_refused(self):
        assert "no legal basis" in faults_of("《公共图书馆法》", " ")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("图书归还", "宗教活动"),
            ("图书归还", "无偿献血"),
            ("图书归还", "位置轨迹"),
            ("图书归还", "社交关系"),
            ("图书归还", "网络言论"),
            ("Book returned", "Political opinion"),
            ("Book returned", "Blood type"),
            ("Book returned", "Social graph"),
            ('code = "book"', 'code = "disease_history"'),
            ('code = "book"', 'code = "gene_sample"'),
            ('unit_en = "item"', 'unit_en = "fingerprint"'),
            ('name_zh = "册数"', 'name_zh = "病史条数"'),
            ("《公共图书馆法》", "《中华人民共和国献血法》"),
        ],
    )
    def test_deny_listed_content_is_refused_even_with_written_consent(self, old, new):
        assert "deny-listed" in faults_of(old, new)
        text = SMALL.replace(old, new, 1).replace('"plain"', '"written_consent"')
        with pytest.raises(DataFault, match="deny-listed"):
            load_catalogue(text, SMALL_SOURCES)

    @pytest.mark.parametrize("name", ["Income", "Bank deposits", "Tax amount", "Real estate"])
    def test_income_deposits_and_the_like_need_written_consent(self, name):
        assert "written_consent" in faults_of("Book returned", name)
        text = SMALL.replace("Book returned", name).replace('"plain"', '"written_consent"')
        assert load_catalogue(text, SMALL_SOURCES).classes["book"].sensitivity == "written_consent"

    def test_ordinary_words_that_hold_a_denied_one_are_let_through(self):
        assert load_small("Book returned", "General relocation pledge in good faith")

    @pytest.mark.parametrize(
        ("severity", "least", "most", "is_right"),
        [
            ("minor", 0, 3, True),
            ("minor", 0, 4, False),
            ("general", 3, 12, True),
            ("general", 2, 12, False),
            ("general", 3, 13, False),
            ("serious", 12, 36, True),
            ("serious", 12, 37, False),
            ("serious", 24, 12, False),
        ],
    )
    def test_publication_stays_within_the_limits_of_the_severity(
        self, severity, least, most, is_right
    ):
        text = SMALL.replace('"positive"', '"adverse"') + (
            f'severity = "{severity}"\n'
            f"publication_min_months = {least}\npublication_max_months = {most}\n"
        )
        if is_right:
            assert load_catalogue(text, SMALL_SOURCES).classes["book"].is_adverse
        else:
            with pytest.raises(DataFault, match="Order 36"):
                load_catalogue(text, SMALL_SOURCES)

    def test_an_adverse_class_without_an_end_is_refused(self):
        assert "needs severity" in faults_of('"positive"', '"adverse"')

    def test_an_adverse_class_is_kept_five_years_at_most(self):
        text = SMALL.replace('"positive"', '"adverse"').replace("= 36", "= 61") + ADVERSE
        with pytest.raises(DataFault, match="60 months at most"):
            load_catalogue(text, SMALL_SOURCES)

    def test_severity_belongs_to_adverse_classes_only(self):
        assert "adverse classes only" in faults_of(more=ADVERSE)

    def test_all_faults_are_told_at_once(self):
        again = SMALL[SMALL.index("[[class]]") :].replace("Book returned", "Religion")
        said = faults_of("《公共图书馆法》", "", more=again.replace('["library"]', '["church"]'))
        for part in ("no legal basis", "deny-listed", "unknown source kind", "given twice"):
            assert part in said

    def test_one_malformed_class_does_not_hide_the_next(self):
        broken = '[[class]]\ncode = "x"\nsurprise = 1\n' + SMALL[SMALL.index("[[class]]") :]
        said = faults_of(more=broken.replace('code = "book"', 'code = "Bad Code"'))
        assert "class x:" in said
        assert "lower_snake_case" in said

    def test_text_that_is_not_toml_is_a_fault(self):
        with pytest.raises(DataFault, match="not TOML"):
            load_catalogue("= nothing", SMALL_SOURCES)

    def test_a_source_of_unknown_kind_is_refused(self):
        with pytest.raises(DataFault, match="unknown source kind bakery"):
            load_catalogue(SMALL, SMALL_SOURCES.replace('"library"', '"bakery"'))

    def test_a_legal_basis_names_a_document(self):
        assert "none is named" in faults_of("《公共图书馆法》", "内部工作需要")

    @pytest.mark.parametrize(
        ("basis", "legal_basis", "severity", "said"),
        [
            ("consent", "读者同意", "minor", "none is named"),
            ("consent", "《公共图书馆法》", "minor", "rests on"),
            ("consent", "《中华人民共和国个人信息保护法》第十三条", "general", "bears no general"),
            ("consent", "《中华人民共和国个人信息保护法》第十三条", "minor", None),
            ("local_catalogue", "《中华人民共和国民法典》", "general", "local regulation"),
            ("local_catalogue", "《示例市社会信用条例》", "serious", "bears no serious"),
            ("local_catalogue", "《示例市公共信用信息补充目录》", "general", None),
            ("statute", "《公共图书馆法》", "serious", None),
        ],
    )
    def test_a_basis_bears_only_what_it_can(self, basis, legal_basis, severity, said):
        months = {"minor": (0, 3), "general": (3, 12), "serious": (12, 36)}[severity]
        text = SMALL.replace('"positive"', '"adverse"').replace("《公共图书馆法》", legal_basis) + (
            f'basis = "{basis}"\nseverity = "{severity}"\n'
            f"publication_min_months = {months[0]}\npublication_max_months = {months[1]}\n"
        )
        if said is None:
            assert load_catalogue(text, SMALL_SOURCES).classes["book"].basis == basis
        else:
            with pytest.raises(DataFault, match=said):
                load_catalogue(text, SMALL_SOURCES)

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ("report_within_working_days = 0", "report_within_working_days must be 1"),
            ('programme_kinds = ["library", "library"]', "programme_kinds: given twice"),
            ('programme_kinds = ["Punish!"]', "programme_kinds: Punish! is no code"),
            ("penalty_points = 3", "unknown field `penalty_points`"),
        ],
    )
    def test_the_other_members_are_held_to_their_range(self, more, said):
        assert said in faults_of(more=more)

    @pytest.mark.parametrize("edition", ["", "2026 1", "x" * 33, "-1", "二"])
    def test_an_edition_has_a_short_plain_name(self, edition):
        assert "edition is" in faults_of('edition = "t"', f'edition = "{edition}"')

    def test_a_member_nobody_knows_is_refused_as_a_slip_of_the_pen(self):
        assert "unknown member clas" in faults_of(more='[[clas]]\ncode = "x"')

    @pytest.mark.parametrize("text", ["", "[", "{", '{"edition": "t"', "\x00", "[" * 100_000])
    def test_what_is_neither_toml_nor_json_is_a_fault_and_no_crash(self, text):
        with pytest.raises(DataFault):
            load_catalogue(text, text)
        with pytest.raises(DataFault):
            load_catalogue('{"a":' * 100_000, SMALL_SOURCES)

    def test_json_means_what_toml_means(self):
        document, sources = (json.dumps(tomllib.loads(t)) for t in (CATALOGUE_TEXT, SOURCES_TEXT))
        found = load_catalogue(document, sources)
        assert found.digest != CATALOGUE.digest, "the texts are others"
        assert msgspec.structs.replace(found, digest=CATALOGUE.digest) == CATALOGUE

    def test_a_name_given_twice_in_json_is_refused(self):
        document = json.dumps(tomllib.loads(SMALL)).replace(
            '"edition"', '"edition": "s", "edition"'
        )
        with pytest.raises(DataFault, match="given twice: edition"):
            load_catalogue(document, SMALL_SOURCES)

    def test_what_was_published_is_read_back_as_it_was_proved(self):
        assert restore_catalogue(CATALOGUE_TEXT, SOURCES_TEXT) == CATALOGUE

    def test_a_later_release_that_proves_more_takes_nothing_out_of_force(self):
        text = SMALL.replace("图书归还", "宗教活动")
        assert restore_catalogue(text, SMALL_SOURCES).classes["book"].name_zh == "宗教活动"
        with pytest.raises(DataFault):
            restore_catalogue("edition = 1", SMALL_SOURCES)


class TestShipped:
    @pytest.mark.parametrize(
        "code",
        [
            *("business_registration", "residence_registration", "professional_licence"),
            *("licence_decision", "tax_filing", "tax_level", "social_insurance"),
            *("intellectual_property", "utility_paid", "logistics_performed"),
            *("warehousing_performed", "library_return", "transit_ride_paid", "rental_performed"),
            *("volunteer_service", "civic_honour", "court_enforcement", "penalty_general"),
            *("pledge_kept", "pledge_broken"),
        ],
    )
    def test_it_covers_what_a_city_collects(self, code):
        assert code in CATALOGUE.classes

    def test_licences_penalties_and_judgments_come_within_seven_working_days(self):
        """双公示: seven working days from the decision."""
        clocks = {each.code: each.report_within_working_days for each in CATALOGUE.classes.values()}
        for code in ("licence_decision", "professional_licence", "court_enforcement"):
            assert clocks[code] == 7
        assert {clocks[f"penalty_{each}"] for each in ("minor", "general", "serious")} == {7}

    def test_a_judgment_left_unperformed_ends_after_two_years(self):
        """法释〔2017〕7号, 2."""
        assert CATALOGUE.classes["court_enforcement"].publication_max_months == 24

    @pytest.mark.parametrize(
        ("code", "basis"),
        [
            ("utility_paid", "local_catalogue"),
            ("rental_performed", "local_catalogue"),
            ("social_insurance", "local_catalogue"),
            ("library_return", "consent"),
            ("transit_ride_paid", "consent"),
            ("penalty_general", "statute"),
        ],
    )
    def test_it_says_what_lets_a_source_hand_over(self, code, basis):
        assert CATALOGUE.classes[code].basis == basis

    def test_nothing_in_it_needs_a_written_consent_or_counts_money(self):
        for each in CATALOGUE.classes.values():
            assert each.sensitivity == "plain"
            assert "元" not in each.value.unit_zh

    def test_every_class_helps_with_some_programme(self):
        assert all(each.programme_kinds for each in CATALOGUE.classes.values())


def sources_of(more: str) -> str:
    """Load the small catalogue with more said about its source; return what the loader says."""
    with pytest.raises(DataFault) as caught:
        load_catalogue(SMALL, SMALL_SOURCES + more)
    return "\n".join(caught.value.faults)


class TestColumns:
    def test_a_source_names_its_own_headers_for_all_classes_and_for_one(self):
        own = """
[source.columns]
national_id = "读者证件号"
external_id = "流水号"
[source.class_columns.book]
external_id = "借阅号"
"""
        source = load_catalogue(SMALL, SMALL_SOURCES + own).sources["city_library"]
        assert source.columns_of("book") == {"national_id": "读者证件号", "external_id": "借阅号"}
        assert source.columns_of("other") == {"national_id": "读者证件号", "external_id": "流水号"}

    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ('name = "姓名"', "unknown column name"),
            ('version = "号"\nexternal_id = "号"', "two columns are called 号"),
            ('version = "external_id"', "two columns are called external_id"),
            ('version = " 号"', "padded"),
            ('version = ""', "empty"),
            (f'version = "{"号" * 65}"', "longer than 64"),
            ('version = "疾病名称"', "deny-listed content (疾病)"),
            ('version = "blood_type"', "deny-listed content (blood)"),
        ],
    )
    def test_a_mapping_is_proved(self, columns, said):
        assert said in sources_of(f"[source.columns]\n{columns}\n")
        assert said in sources_of(f"[source.class_columns.book]\n{columns}\n")

    def test_a_class_may_not_take_a_header_that_the_whole_source_uses(self):
        said = sources_of(
            '[source.columns]\nversion = "号"\n[source.class_columns.book]\nquantity = "号"\n'
        )
        assert "class_columns book: two columns are called 号" in said

    def test_columns_of_a_class_that_is_not_there_are_a_slip_of_the_pen(self):
        assert "unknown class bok" in sources_of('[source.class_columns.bok]\nversion = "号"\n')

    def test_two_names_may_change_places(self):
        own = '[source.columns]\nversion = "quantity"\nquantity = "version"\n'
        assert load_catalogue(SMALL, SMALL_SOURCES + own)


class TestGivenUp:
    def test_the_same_classes_give_nothing_up(self):
        assert classes_given_up(CATALOGUE, CATALOGUE) == []

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('code = "book"', 'code = "books"'),
            ('"positive"', '"adverse"'),
            ('"plain"', '"written_consent"'),
        ],
    )
    def test_what_records_could_not_stay_under_is_named(self, old, new):
        more = ADVERSE if "adverse" in new else ""
        assert classes_given_up(load_small(), load_small(old, new, more=more)) == ["book"]

    def test_a_positive_class_may_become_neutral_and_last_longer(self):
        after = load_small('"positive"', '"neutral"')
        assert classes_given_up(load_small(), after) == []


SPOILT = ["图书\u202e还归", "图书\u200b归还", "图书\n归还", "图书\x00归还", "长" * 301]


@pytest.mark.parametrize("text", SPOILT)
@pytest.mark.parametrize(
    "old", ["图书归还", "Book returned", "《公共图书馆法》", "册数", "items", "目录", "Catalogue"]
)
def test_what_everybody_reads_shows_as_it_is_stored(old: str, text: str):
    """Nothing unseen, nothing that turns the direction of writing, nothing without an end."""
    whole = json.dumps(tomllib.loads(SMALL), ensure_ascii=False)
    spoilt = whole.replace(old, json.dumps(f"{old}{text}")[1:-1], 1)
    with pytest.raises(DataFault, match="printable characters"):
        load_catalogue(spoilt, SMALL_SOURCES)


@pytest.mark.parametrize("text", SPOILT)
def test_a_sources_name_shows_as_it_is_stored(text: str):
    sources = tomllib.loads(SMALL_SOURCES)
    sources["source"][0]["name_en"] = text
    with pytest.raises(DataFault, match="printable characters"):
        load_catalogue(SMALL, json.dumps(sources))


def test_notes_are_a_page_at_most():
    assert load_small('edition = "t"', 'edition = "t"\nnotes_zh = "一句。"').notes_zh == "一句。"
    lines = load_small('edition = "t"', 'edition = "t"\nnotes_en = """One.\nTwo."""')
    assert lines.notes_en == "One.\nTwo."
    with pytest.raises(DataFault, match="notes_zh is at most 2000 printable characters"):
        load_small('edition = "t"', f'edition = "t"\nnotes_zh = "{"字" * 2001}"')
