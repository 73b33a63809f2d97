"""The codes that partners meet with their orders, webhooks and own tokens; part of `problem`."""

from backend.kit.office_problem import Problem

PARTNER_PROBLEMS: dict[str, Problem] = {
    "benefit_unavailable": Problem(
        409,
        "The benefit is not open for this order",
        "本次服务不适用该权益",
        "Nothing else is told, whatever the cause. The baseline is open to everybody.",
    ),
    "webhook_delivery_open": Problem(
        409,
        "The delivery is still being tried",
        "该消息仍在投递中",
        "It is replayed once it was delivered or given up; `state` says which.",
    ),
    "webhook_endpoint_unverified": Problem(
        409,
        "The endpoint has not shown that it is yours",
        "回调地址尚未验证",
        "POST …/verify sends it a challenge; it answers with the same challenge.",
    ),
    "webhook_endpoints_too_many": Problem(
        409,
        "There are as many endpoints as a partner may have",
        "回调地址数量已达上限",
        "Delete one that isn't needed any more; `limit` says how many there may be.",
    ),
    "webhook_paused_by_operator": Problem(
        409,
        "An operator has paused the endpoint",
        "回调地址已被运营方暂停",
        "Only an operator can resume it: ask who runs the service.",
    ),
    "webhook_secrets_too_many": Problem(
        409,
        "Too many secrets sign for this endpoint",
        "签名密钥数量已达上限",
        "Wait until an old one ends; `limit` says how many may sign at a time.",
    ),
    "webhook_topics_invalid": Problem(
        422,
        "An endpoint can't follow these topics",
        "订阅的消息类型无效",
        "At least one of `known`, each once.",
    ),
    "webhook_url_refused": Problem(
        422,
        "Nothing can be sent to this URL",
        "回调地址不可用",
        "https on port 443 or 8443 at a public name or address; see `errors`.",
    ),
}
