"""Refusals, and the one table that turns them into RFC 9457 problem details.

A rule or service raises `Refusal("code", **facts)` and knows nothing of HTTP. The table below
says what the code means to a caller; `docs/problems.md` and `/problems/{code}` are made from it.
"""

import msgspec


class Refusal(Exception):
    """A request that is refused and changes nothing.

    `facts` are typed, safe to show to the caller, and end up as members of the problem.
    """

    def __init__(self, code: str, **facts: object) -> None:
        assert code in PROBLEMS, f"undocumented refusal: {code}"
        super().__init__(code)
        self.code = code
        self.facts = facts


class Unavailable(Refusal):
    """Something the service stands on is away; the same request may succeed a little later."""

    def __init__(self, what: str) -> None:
        super().__init__("unavailable", what=what)


class Problem(msgspec.Struct, frozen=True):
    """What a refusal code means: HTTP status, titles for people, and what to do about it."""

    status: int
    title: str
    title_zh: str
    detail: str


PROBLEMS: dict[str, Problem] = {
    "authorization_request_gone": Problem(
        410,
        "This authorization request is over",
        "本次授权请求已结束",
        "It has expired or was answered already. Go back to where you came from and start again.",
    ),
    "body_invalid": Problem(
        400, "The body is not valid", "请求内容无效", "See `errors`: each names a member."
    ),
    "body_too_large": Problem(
        413, "The body is too large", "请求内容过大", "Bodies may hold at most 64 KB."
    ),
    "client_exists": Problem(
        409, "A client with this id exists", "客户端标识已存在", "Choose another client_id."
    ),
    "client_invalid": Problem(
        422, "The client can't be registered like this", "客户端信息无效", "See `errors`."
    ),
    "cookie_missing": Problem(
        403,
        "The browser keeps no cookies",
        "浏览器没有保存 Cookie",
        "Allow cookies for this site, open the page again and send the form from there.",
    ),
    "cursor_invalid": Problem(
        400,
        "The cursor is not valid",
        "分页游标无效",
        "Use a cursor as it came with the last page, or leave it out to start again.",
    ),
    "form_foreign": Problem(
        403,
        "This form did not come from our page",
        "表单不是从本站页面发出的",
        "Open the page again and send the form from there.",
    ),
    "idempotency_key_in_flight": Problem(
        409,
        "A request with this Idempotency-Key is being worked on",
        "相同幂等键的请求正在处理",
        "Wait a moment and send the same request again.",
    ),
    "idempotency_key_missing": Problem(
        400,
        "This operation needs an Idempotency-Key",
        "缺少幂等键",
        "Send a fresh random Idempotency-Key header of 16 to 64 characters.",
    ),
    "idempotency_key_reused": Problem(
        422,
        "This Idempotency-Key was used for another request",
        "幂等键已用于其他请求",
        "A key belongs to one request; make a new key for a new one.",
    ),
    "internal": Problem(
        500,
        "Something went wrong on our side",
        "服务内部错误",
        "Nothing was changed. The request id helps us to find out what happened.",
    ),
    "media_type_unsupported": Problem(
        415, "The body has an unsupported type", "不支持的内容类型", "Send application/json."
    ),
    "method_not_allowed": Problem(
        405, "The method is not allowed here", "不支持的请求方法", "See the `Allow` header."
    ),
    "not_acceptable": Problem(
        406, "No acceptable form of the answer exists", "无法提供所需格式", "Accept JSON."
    ),
    "not_found": Problem(
        404, "There is no such thing here", "未找到", "It does not exist, or it is not yours."
    ),
    "parameter_invalid": Problem(
        400, "A parameter is not valid", "参数无效", "See `errors`: each names a parameter."
    ),
    "partner_exists": Problem(
        409, "A partner with this code exists", "商户代码已存在", "Choose another code."
    ),
    "partner_invalid": Problem(
        422, "The partner can't be registered like this", "商户信息无效", "See `errors`."
    ),
    "partner_unknown": Problem(
        404, "There is no such partner", "商户不存在", "Add the partner before its clients."
    ),
    "scope_insufficient": Problem(
        403,
        "The token does not carry the scope this needs",
        "令牌权限不足",
        "Ask for the scope named in `scope`.",
    ),
    "token_invalid": Problem(
        401,
        "The token is missing, expired or not valid here",
        "令牌缺失、过期或无效",
        "Get a new token. Sender-constrained tokens need a fresh DPoP proof with each request.",
    ),
    "too_many_requests": Problem(
        429, "Too many requests", "请求过于频繁", "Wait as long as Retry-After says."
    ),
    "unavailable": Problem(
        503,
        "The service is not available right now",
        "服务暂不可用",
        "Nothing is lost: send the same request again after Retry-After.",
    ),
}
