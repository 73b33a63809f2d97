"""The codes that partners meet with their orders, webhooks and own tokens; part of `problem`."""

from backend.kit.office_problem import Problem

PARTNER_PROBLEMS: dict[str, Problem] = {
    "benefit_unavailable": Problem(
        409,
        "The benefit is not open for this order",
        "本次服务不适用该权益",
        "Nothing else is told, whatever the cause. The baseline is open to everybody.",
    ),
    "budget_amount_above_reserved": Problem(
        422,
        "The amount is higher than what is reserved",
        "金额超过已预留金额",
        "Amounts only go down: `reserved_fen` is the most there can be.",
    ),
    "budget_reservation_closed": Problem(
        409,
        "The reservation is closed",
        "预留已关闭",
        "`state` says how: settled, released, or expired. What was settled stays as it is.",
    ),
    "budget_spent": Problem(
        409,
        "Nothing is left of the budget",
        "预算已用完",
        "`span` says which: of the programme, the partner, the day, the month or the citizen.",
    ),
    "obligation_replied": Problem(
        409,
        "You have answered this already",
        "您已回复过",
        "Who said that they will pay can still contest; nothing is contested twice.",
    ),
    "obligation_state_conflict": Problem(
        409,
        "What is owed is not in a state for this",
        "该待履行事项当前状态不支持此操作",
        "`state` says where it stands; see docs/service-orders.md for what can follow.",
    ),
    "obligation_too_large": Problem(
        422,
        "More can't be owed than credit stood for",
        "待履行金额超过信用承担部分",
        "At most `credit_fen`, the order's credit part.",
    ),
    "order_amount_not_lower": Problem(
        422,
        "The amount of an order only goes down",
        "订单金额只能调低",
        "Less than `amount_fen`; for more, open another order.",
    ),
    "order_amount_too_large": Problem(
        422,
        "The amount is beyond what the citizen consented to",
        "金额超出市民授权上限",
        "At most `limit_fen`, the consent's `amount_max_fen`.",
    ),
    "order_reference_invalid": Problem(
        422,
        "The reference is not valid",
        "订单参考号无效",
        "1 to 64 letters, digits and `_.:-`, without a number that names a person.",
    ),
    "order_reference_taken": Problem(
        422,
        "The reference names another order of this citizen",
        "该参考号已用于其他订单",
        "The same reference with the same content gives the same order again.",
    ),
    "order_settled_too_much": Problem(
        422,
        "More can't be settled than credit stands for",
        "结算金额超过信用承担部分",
        "At most `credit_fen`, the order's credit part.",
    ),
    "order_state_conflict": Problem(
        409,
        "The order is not in a state for this",
        "订单当前状态不支持此操作",
        "`state` says where it stands; see docs/service-orders.md for what can follow.",
    ),
    "performance_reported": Problem(
        409,
        "The performance of this order was reported already",
        "该订单的履约情况已反馈",
        "`performance` says what was reported.",
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
