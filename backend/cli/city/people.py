"""Made-up people: valid identity numbers of an area that was never issued, so nobody's.

Person number i of a seed is the same in a city of any size.
"""

import random
from calendar import monthrange
from collections.abc import Iterator
from datetime import date

import msgspec

from backend.cli.city.chance import chance_of

NAMED = 3
CITIZENS_MIN, CITIZENS_MAX = NAMED, 200_000

# The lives of the people the demo names; nothing goes wrong with what is on file about them.
PLAYED_LIVES = frozenset({"reader", "thin", "minor"})
# Kinds of life and how many of a hundred people lead one.
LIVES = {
    "office": 38,
    "business": 12,
    "professional": 10,
    "student": 12,
    "retired": 16,
    "newcomer": 12,
}
_AGES = {
    "office": (22, 60),
    "business": (25, 65),
    "professional": (26, 64),
    "student": (18, 26),
    "retired": (60, 88),
    "newcomer": (19, 45),
}
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余"
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅建国文斌波辉宇浩然子轩欣怡思雨晨"
    "佳琪梓涵一诺雪婷嘉懿俊熙博雅智宸泽安宁远志诚立新春生海燕晓东立冬向阳清源若水知行"
)
# GB 11643-1999: weights of the first 17 digits, and the check character for each remainder.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"


class Person(msgspec.Struct, frozen=True):
    """Somebody of the demo city; `phone` is in E.164, `life` shapes what is on record."""

    number: int
    name: str
    national_id: str
    phone: str
    born_on: date
    life: str


def make_people(*, citizens: int, seed: int, as_of: date) -> Iterator[Person]:
    """Make `citizens` people; the first three are those the demo names."""
    assert CITIZENS_MIN <= citizens <= CITIZENS_MAX, "the command checks its options"
    named = {
        "林晓": (date(1996, 4, 12), "reader"),
        "周平": (date(2001, 9, 3), "thin"),
        "陈晨": (date(as_of.year - 15, 3, 21), "minor"),
    }
    assert len(named) == NAMED, "the city begins with the people the demo names"
    for number, (name, (born_on, life)) in enumerate(named.items()):
        yield _person(number, name, born_on, life)
    for number in range(NAMED, citizens):
        chance = chance_of(seed, f"person:{number}")
        (life,) = chance.choices(list(LIVES), weights=list(LIVES.values()))
        name = _name(chance)
        while name in named:
            name = _name(chance)
        yield _person(number, name, _birthday(chance, life, as_of), life)


def _name(chance: random.Random) -> str:
    return chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=chance.choice((1, 2, 2))))


def _person(number: int, name: str, born_on: date, life: str) -> Person:
    return Person(
        number=number,
        name=name,
        national_id=national_id(number, born_on),
        phone=f"+86199{number:08d}",
        born_on=born_on,
        life=life,
    )


def national_id(number: int, born_on: date) -> str:
    """Return the valid identity number of person `number`: area 999xxx, unique in the city."""
    digits = f"999{number // 1000:03d}{born_on:%Y%m%d}{number % 1000:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return digits + _CHECK_CHARACTERS[total % 11]


def _birthday(chance: random.Random, life: str, as_of: date) -> date:
    youngest, oldest = _AGES[life]
    # A year older than the youngest age, so that everybody is of age on the day of the city.
    year = as_of.year - chance.randint(youngest + 1, oldest)
    month = chance.randint(1, 12)
    return date(year, month, chance.randint(1, monthrange(year, month)[1]))
