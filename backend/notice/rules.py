"""What citizens are told: the topics, what each says, and for how long.

A notice holds ids, codes, amounts and days; its words are made when it is shown (`words_of`). The
text that goes to the phone is the same for every topic: whoever reads over a shoulder, or the
gateway's log, learns nothing about the person.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from backend.kit.money import format_yuan

# What a notice says besides its topic: all of these and nothing else. Amounts are in fen, days
# are dates in the city, ids are UUIDs.
FACTS: Final[Mapping[str, frozenset[str]]] = {
    "enrolment.from_waiting": frozenset({"programme"}),
    "order.to_confirm": frozenset({"order_id", "programme", "amount_fen"}),
    "order.activated": frozenset({"order_id", "programme", "amount_fen"}),
    "order.completed": frozenset({"order_id", "programme", "settled_fen"}),
    "order.cancelled": frozenset({"order_id", "programme"}),
    "order.expired": frozenset({"order_id", "programme"}),
    "obligation.announced": frozenset(
        {"obligation_id", "order_id", "programme", "amount_fen", "stands_on"}
    ),
    "obligation.standing": frozenset({"obligation_id", "order_id", "programme", "amount_fen"}),
    "obligation.ended": frozenset({"obligation_id", "order_id", "programme"}),
    "case.decided": frozenset({"case_id", "kind", "object", "outcome"}),
    "programme.paused": frozenset({"programme"}),
    "programme.ended": frozenset({"programme"}),
}
TOPICS: Final = tuple(FACTS)

# A notice is shown for a year (个人信息保护法 art. 19: no longer than is needed), and a text is
# tried for three days: after that it would only puzzle whoever gets it.
KEPT_FOR = timedelta(days=365)
SENT_WITHIN = timedelta(days=3)

PHONE_TEXT: Final = (
    "【信用+】您有一条新通知，请登录信用+查看。"
    "Credit+: there is a new notice for you. Sign in to read it."
)


class Notice(msgspec.Struct, frozen=True):
    """One notice to one citizen."""

    subject_id: UUID
    notice_id: UUID
    topic: str
    facts: dict[str, Any]
    created_at: datetime
    sent_at: datetime | None
    read_at: datetime | None


class Words(msgspec.Struct, frozen=True):
    """A notice in words."""

    title_zh: str
    title_en: str
    text_zh: str
    text_en: str


def facts_of(topic: str, facts: Mapping[str, object]) -> dict[str, str | int]:
    """Return the facts of a notice as they are kept: numbers, and ids, codes and days as text.

    Other facts than the topic's are a programmer's error: they could be somebody's name.
    """
    assert topic in FACTS, f"no topic of a notice: {topic}"
    assert facts.keys() == FACTS[topic], f"{topic} says {sorted(FACTS[topic])}"
    return {name: _kept(value) for name, value in facts.items()}


def _kept(value: object) -> str | int:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, int | str | UUID), "a fact is an id, a code, an amount or a day"
    return value if isinstance(value, int) else str(value)


def is_to_be_sent(notice: Notice, now: datetime) -> bool:
    """Say whether the phone has still to be told of a notice."""
    return (
        notice.sent_at is None and notice.read_at is None and now < notice.created_at + SENT_WITHIN
    )


def words_of(notice: Notice) -> Words:
    """Return a notice in words; a topic that is newer or older than this code is named as it is."""
    words = _WORDS.get(notice.topic)
    if words is None or not FACTS[notice.topic] <= notice.facts.keys():
        return Words("通知", "Notice", notice.topic, notice.topic)
    facts = {name: _shown(name, value) for name, value in notice.facts.items()}
    outcome = _OUTCOMES.get(str(notice.facts.get("outcome")), ("", ""))
    return Words(
        words.title_zh,
        words.title_en,
        words.text_zh.format(**facts, outcome_zh=outcome[0]),
        words.text_en.format(**facts, outcome_en=outcome[1]),
    )


def _shown(name: str, value: Any) -> str:
    return format_yuan(value) if name.endswith("_fen") else str(value)


_OUTCOMES: Final = {
    "upheld": ("维持原结果", "the result stays as it was"),
    "changed": ("结果已更改", "the result was changed"),
}

_WORDS: Final = {
    "enrolment.from_waiting": Words(
        "候补成功",
        "You have got a seat",
        "您候补的项目有了名额，已为您报名。如不需要，可随时退出。",
        "A seat of the programme you waited for became free and is yours. You may leave it at any"
        " time.",
    ),
    "order.to_confirm": Words(
        "有订单待您确认",
        "An order waits for you",
        "商户为您开立了一笔信用权益金额为 ¥{amount_fen} 的订单。请确认；30 天内不确认即自动失效。",
        "A partner has opened an order with ¥{amount_fen} for you. Confirm it, or it lapses after"
        " 30 days.",
    ),
    "order.activated": Words(
        "订单已生效",
        "Your order is active",
        "信用权益金额 ¥{amount_fen} 的订单已生效。",
        "Your order with a credit benefit of ¥{amount_fen} is active.",
    ),
    "order.completed": Words(
        "订单已完成",
        "Your order is completed",
        "订单已完成，商户结算 ¥{settled_fen}。如有疑问，请先联系商户。",
        "The order is completed; the partner settled ¥{settled_fen}. Ask the partner first if"
        " something is wrong.",
    ),
    "order.cancelled": Words(
        "订单已取消",
        "Your order was cancelled",
        "订单已取消，占用的信用额度已释放。",
        "The order was cancelled, and what it took of your credit benefit is free again.",
    ),
    "order.expired": Words(
        "订单已失效",
        "Your order has lapsed",
        "订单超过 30 天未确认，已自动失效。这对您没有任何影响。",
        "The order was not confirmed within 30 days and has lapsed. Nothing follows from it.",
    ),
    "obligation.announced": Words(
        "商户称有款项未付：您可以答复",
        "A partner says that something is open: you may reply",
        "商户称订单还有 ¥{amount_fen} 未付。您可以付款、说明将付款，或提出异议（由人工复核）。"
        "{stands_on} 之前它不会产生任何效果。",
        "A partner says that ¥{amount_fen} of an order is open. You may pay, say that you will, or"
        " contest it: a person then looks. Nothing follows from it before {stands_on}.",
    ),
    "obligation.standing": Words(
        "未付款项现对该商户可见",
        "The open amount is now seen by this partner",
        "订单的 ¥{amount_fen} 未付，现仅对该商户和您本人可见；付清后即消失。"
        "它不影响信用分，也不告知任何其他人。",
        "¥{amount_fen} of the order is open. Only this partner and you see it; it is gone once it"
        " is paid. It is in no score, and nobody else is told.",
    ),
    "obligation.ended": Words(
        "未付款项已消除",
        "The open amount is gone",
        "订单的未付款项已消除，不留记录。",
        "The open amount of the order is gone; nothing is kept of it.",
    ),
    "case.decided": Words(
        "人工复核已有结果",
        "A person has looked at your case",
        "您的复核申请已有答复：{outcome_zh}。理由见“复核”页面。",
        "Your case was answered: {outcome_en}. The reasons are on the page of your cases.",
    ),
    "programme.paused": Words(
        "项目已暂停",
        "A programme is paused",
        "您报名的项目已暂停。进行中的订单不受影响，基本服务照常。",
        "A programme you are enrolled in is paused. Orders that run go on, and so does the"
        " baseline.",
    ),
    "programme.ended": Words(
        "项目已结束",
        "A programme has ended",
        "您报名的项目已结束。进行中的订单不受影响，基本服务照常。",
        "A programme you were enrolled in has ended. Orders that run go on, and so does the"
        " baseline.",
    ),
}
