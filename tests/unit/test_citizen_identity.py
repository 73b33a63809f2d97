"""Goal: only real identities of adults pass, in one form, however they are typed.

Method: vectors of GB 11643 and of the residence permits, every single-digit slip of a good number,
birthdays at the date line between the city and UTC, and names and phones at each edge.
"""

from datetime import UTC, date, datetime

import pytest

from backend.citizen.rules import (
    age_on,
    check_adult,
    mask_name,
    mask_phone,
    parse_name,
    parse_national_id,
    parse_phone,
)
from backend.kit.clock import city_date
from backend.kit.problem import Refusal

TODAY = date(2026, 11, 24)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def with_check(first_17: str) -> str:
    """Complete 17 digits by the standard's formula, written independently of the code."""
    total = sum(int(digit) * weight for digit, weight in zip(first_17, WEIGHTS, strict=True))
    return first_17 + "10X98765432"[total % 11]


@pytest.mark.parametrize(
    ("number", "born_on"),
    [
        ("11010519491231002X", date(1949, 12, 31)),  # GB 11643-1999, its own example
        ("810000199408230021", date(1994, 8, 23)),  # Hong Kong resident, published specimen
        (with_check("82000019900101123"), date(1990, 1, 1)),  # Macao resident
        ("830000199201300022", date(1992, 1, 30)),  # Taiwan resident, published specimen
        (with_check("99999920000229001"), date(2000, 2, 29)),  # leap day of a leap century
        (with_check("99999920040229001"), date(2004, 2, 29)),
        (with_check("93115619840701009"), date(1984, 7, 1)),  # permanent residence of foreigners
    ],
)
def test_a_number_by_the_standard_passes_whatever_its_area(number: str, born_on: date) -> None:
    """The area code is advisory: 81, 82, 83 and codes nobody issued are no fault."""
    assert parse_national_id(number, today=TODAY).born_on == born_on


def test_the_standards_second_example_passes_on_a_day_of_its_time() -> None:
    """440524188001010014 is GB 11643's example of somebody born in 1880."""
    today = date(1999, 7, 1)
    assert parse_national_id("440524188001010014", today=today).born_on == date(1880, 1, 1)
    with pytest.raises(Refusal):
        parse_national_id("440524188001010014", today=TODAY)


@pytest.mark.parametrize(
    "typed", ["11010519491231002x", " 11010519491231002X ", "１１０１０５１９４９１２３１００２Ｘ"]
)
def test_a_number_has_one_form_however_it_is_typed(typed: str) -> None:
    """A small x, blanks around it and full-width characters give the same subject."""
    assert parse_national_id(typed, today=TODAY).number == "11010519491231002X"


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("", "form"),
        ("110105491231002", "form"),  # the 15 digits of before 2013
        ("1101051949123100", "form"),
        ("11010519491231002XX", "form"),
        ("1101051949123100X2", "form"),
        ("11010519491231002٣", "form"),  # an Arabic digit is no digit here
        ("110105194912310021", "check_character"),
        (with_check("99999919000229001"), "date"),  # 1900 was no leap year
        (with_check("99999920230229001"), "date"),
        (with_check("99999920001301001"), "date"),
        (with_check("99999920000431001"), "date"),
        (with_check("99999900000101001"), "date"),
        (with_check("99999918500101001"), "date"),  # nobody is 176
        (with_check("99999920261125001"), "born_in_future"),
        (with_check("99999930000101001"), "born_in_future"),
    ],
)
def test_a_wrong_number_is_refused_with_its_fault(number: str, fault: str) -> None:
    """The fault is named, the number is not repeated."""
    with pytest.raises(Refusal) as refused:
        parse_national_id(number, today=TODAY)
    assert (refused.value.code, refused.value.facts) == ("national_id_invalid", {"fault": fault})


def test_every_single_slip_and_every_swap_of_neighbours_is_found() -> None:
    """ISO 7064 MOD 11-2 finds all single substitutions and adjacent transpositions."""
    good = "11010519491231002X"
    slips = {
        good[:place] + digit + good[place + 1 :]
        for place in range(18)
        for digit in "0123456789X"
        if digit != good[place] and (place == 17 or digit != "X")
    }
    swaps = {
        good[:place] + good[place + 1] + good[place] + good[place + 2 :]
        for place in range(16)
        if good[place] != good[place + 1]
    }
    for wrong in slips | swaps:
        with pytest.raises(Refusal):
            parse_national_id(wrong, today=TODAY)


@pytest.mark.parametrize(
    ("born_on", "today", "age"),
    [
        (date(2008, 11, 24), date(2026, 11, 23), 17),
        (date(2008, 11, 24), date(2026, 11, 24), 18),
        (date(2008, 2, 29), date(2026, 2, 28), 17),  # born on a leap day: 1 March it is
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2026, 11, 24), date(2026, 11, 24), 0),
    ],
)
def test_a_year_is_full_on_the_birthday(born_on: date, today: date, age: int) -> None:
    """The birthday itself counts; a leap day's is 1 March in other years."""
    assert age_on(born_on, today) == age


def test_adulthood_begins_at_midnight_in_the_city_not_in_utc() -> None:
    """At 16:00 UTC the city's next day begins: one second decides."""
    person = parse_national_id(with_check("99999920081124001"), today=TODAY)
    before = datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC)
    with pytest.raises(Refusal) as refused:
        check_adult(person, today=city_date(before))
    assert refused.value.code == "under_age"
    check_adult(person, today=city_date(datetime(2026, 11, 23, 16, 0, 0, tzinfo=UTC)))


def test_a_child_born_today_in_the_city_is_not_from_the_future() -> None:
    """At 17:00 UTC on the 23rd it is the 24th in the city, and children are born."""
    today = city_date(datetime(2026, 11, 23, 17, tzinfo=UTC))
    parse_national_id(with_check("99999920261124001"), today=today)


@pytest.mark.parametrize(
    "typed",
    [
        "13800138000",
        "+8613800138000",
        "+86 138 0013 8000",
        "86-138-0013-8000",
        "(+86)13800138000"[1:].replace(")", " "),
        "１３８００１３８０００",
        " 138 0013 8000 ",
    ],
)
def test_a_mobile_number_has_one_form_however_it_is_typed(typed: str) -> None:
    """E.164, so that one phone is one key."""
    assert parse_phone(typed) == "+8613800138000"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "1380013800",
        "138001380000",
        "12345678901",  # no such range
        "010-65551234",  # a landline takes no text
        "+85261234567",  # Hong Kong
        "+14155552671",
        "13800138000x",
        "13800138000;ext=5",
        "tel:13800138000",
        "1380013800\n0",
        "+" * 20,
        "1" * 64,
    ],
)
def test_what_is_no_mainland_mobile_number_is_refused(typed: str) -> None:
    """One refusal for all of them."""
    with pytest.raises(Refusal) as refused:
        parse_phone(typed)
    assert refused.value.code == "phone_invalid"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("林晓", "林晓"),
        (" 欧阳娜娜 ", "欧阳娜娜"),
        ("𠮷野", "𠮷野"),  # extension B
        ("㐂子", "㐂子"),  # extension A
        ("张\U00031350", "张\U00031350"),  # extension H, younger than Python 3.11's table
        ("王〇", "王〇"),
        ("阿卜杜拉·买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉•买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉・买买提", "阿卜杜拉·买买提"),
        ("迪丽热巴·迪力木拉提", "迪丽热巴·迪力木拉提"),
        ("Jean-Luc O'Neill", "Jean-Luc O'Neill"),
        ("Zoe\u0308 Ng", "Zoë Ng"),
        ("\uf9d0".join(["王", "力"]), "王類力"),  # a compatibility form becomes its character
        ("字" * 50, "字" * 50),
    ],
)
def test_a_name_has_one_form_however_it_is_typed(typed: str, name: str) -> None:
    """Rare characters and the interpunct belong to names."""
    assert parse_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("", "length"),
        ("林", "length"),
        ("字" * 51, "length"),
        ("𠮷" * 200, "length"),
        ("林\u202e晓", "character"),  # right-to-left override
        ("林\u2066晓", "character"),
        ("林\u200b晓", "character"),  # zero width space
        ("林\x00晓", "character"),
        ("林\n晓", "character"),
        ("林\ue000晓", "character"),  # private use
        ("林晓1", "character"),
        ("林xiao", "character"),
        ("<b>林晓", "character"),
        ("Ли Сяо", "character"),
        ("--", "character"),
        ("·林晓", "separator"),
        ("林晓·", "separator"),
        ("阿卜杜拉··买买提", "separator"),
        ("林 晓", "separator"),
        ("Lin  Xiao", "separator"),
        ("林\U000e0100晓", "character"),  # variation selector
        ("林\ud800晓", "character"),
    ],
)
def test_a_name_with_what_cant_be_seen_or_doesnt_belong_is_refused(typed: str, fault: str) -> None:
    """What an officer reads is what is stored: nothing invisible, nothing that turns around."""
    with pytest.raises(Refusal) as refused:
        parse_name(typed)
    assert (refused.value.code, refused.value.facts) == ("name_invalid", {"fault": fault})


def test_masks_show_an_owner_enough_and_a_bystander_little() -> None:
    """One character of the name, seven digits of the phone."""
    assert [mask_name(name) for name in ("林晓", "欧阳娜", "阿卜杜拉·买买提")] == [
        "林*",
        "欧**",
        "阿***",
    ]
    assert mask_phone("+8613800138000") == "138****8000"
