"""What no programme may be about: services that everybody has a right to.

A baseline is what everybody gets without a programme. For these it may not be less than all of it,
so there is nothing to grant beyond it, and a score has no say (NDRC 2019: 不得将个人信用分用于公共
服务的限制; Order 36 names what may be done about bad conduct, and none of these). A kind by its
code, and texts by their words: a programme of another kind that gives out places in schools is one
of these all the same.
"""

import re
import unicodedata

import msgspec


class Service(msgspec.Struct, frozen=True):
    """A basic service: the law that gives it to everybody, and the words that speak of it."""

    law: str
    kinds: tuple[str, ...]
    zh: re.Pattern[str]
    en: re.Pattern[str]


SERVICES = (
    Service(
        "《中华人民共和国基本医疗卫生与健康促进法》第五条",
        ("medical", "medical_care", "health", "hospital", "emergency"),
        re.compile(r"医疗|就医|就诊|看病|挂号|急诊|急救|疫苗|住院"),
        re.compile(r"\b(?:medical|hospital\w*|doctors?|clinics?|ambulances?|vaccin\w*)\b"),
    ),
    Service(
        "《中华人民共和国义务教育法》第二条、第四条",
        ("education", "compulsory_education", "school", "kindergarten"),
        re.compile(r"义务教育|入学|学位|上学|择校|中考|高考|幼儿园"),
        re.compile(r"\b(?:schools?|schooling|kindergartens?|compulsory education|admissions?)\b"),
    ),
    Service(
        "《中华人民共和国社会保险法》第二条；《社会救助暂行办法》第二条",
        ("social_insurance", "pension", "social_assistance", "unemployment"),
        re.compile(r"社会保险|社保待遇|养老金|退休金|失业金|工伤保险|医保|低保|社会救助|救济"),
        re.compile(r"\b(?:social (?:insurance|assistance|security)|pensions?|unemployment)\b"),
    ),
    Service(
        "《中华人民共和国宪法》第三十四条；《中华人民共和国选举法》第四条",
        ("election", "elections", "voting"),
        re.compile(r"选举|投票|参选"),
        re.compile(r"\b(?:elections?|voting|votes?|ballots?)\b"),
    ),
    Service(
        "《中华人民共和国民法典》第六百四十八条、第六百五十六条",
        ("utility", "utilities", "water", "power", "heating"),
        re.compile(r"[供停断][水电气热暖]"),
        re.compile(r"\b(?:(?:water|power|gas|heating|electricity) (?:supply|cut\w*)|utilities)\b"),
    ),
    Service(
        "《中华人民共和国行政诉讼法》第三条；《中华人民共和国法律援助法》第二条",
        ("court", "legal_aid", "police", "justice"),
        re.compile(r"诉讼|立案|法律援助|报警|信访|上访"),
        re.compile(r"\b(?:lawsuits?|legal aid|police|courts?|petitions?)\b"),
    ),
    Service(
        "《中华人民共和国出境入境管理法》第九条；《中华人民共和国户口登记条例》",
        ("passport", "identity_document", "household_registration"),
        re.compile(r"护照|出境|身份证件?(?:办理|申领)|户口|落户"),
        re.compile(r"\b(?:passports?|exit permits?|household registration|hukou)\b"),
    ),
    Service(
        "《中华人民共和国就业促进法》第三条；《中华人民共和国公务员法》",
        ("employment", "recruitment", "civil_service"),
        re.compile(r"招聘|录用|就业资格|公务员"),
        re.compile(r"\b(?:recruitment|hiring|employment|civil service)\b"),
    ),
)


def forbidden_kind(kind: str) -> Service | None:
    """Return the basic service that a kind of programme is about, or None."""
    joined = kind.replace("-", "_")
    return next((each for each in SERVICES if joined in each.kinds), None)


def forbidden_words(text: str) -> list[tuple[str, Service]]:
    """Return the words of a text that speak of basic services, each with its service."""
    plain = unicodedata.normalize("NFKC", text)
    chinese, english = "".join(plain.split()), plain.casefold()
    return [
        (word, service)
        for service in SERVICES
        for word in dict.fromkeys([*service.zh.findall(chinese), *service.en.findall(english)])
    ]
