"""Refusals, and the one table that turns them into RFC 9457 problem details.

A rule or service raises `Refusal("code", **facts)` and knows nothing of HTTP. The table below
says what the code means to a caller; `docs/problems.md` and `/problems/{code}` are made from it.
Codes of operators and source departments stand in `office_problem`, those of partners' orders and
webhooks in `partner_problem`.
"""

from backend.kit.office_problem import OFFICE_PROBLEMS, Problem
from backend.kit.partner_problem import PARTNER_PROBLEMS


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


PROBLEMS: dict[str, Problem] = {
    **OFFICE_PROBLEMS,
    **PARTNER_PROBLEMS,
    "account_exists": Problem(
        409,
        "There is an account already",
        "账户已存在",
        "This identity or this phone has an account: sign in with the phone it was opened with.",
    ),
    "account_missing": Problem(
        404,
        "There is no account",
        "账户不存在",
        "Open an account first; a code that was right can still be used for it.",
    ),
    "already_enrolled": Problem(
        409,
        "The citizen is enrolled in this programme",
        "已经报名该项目",
        "One enrolment at a time: see GET /v1/me/programmes.",
    ),
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
        413,
        "The body is too large",
        "请求内容过大",
        "Bodies may hold at most 64 KB, the file of a submission 512 MiB.",
    ),
    "calendar_unknown": Problem(
        503,
        "Whether a day is a working day is not known",
        "工作日历未覆盖该日期",
        "An operator has to import the year of `day` first; nothing is guessed.",
    ),
    "case_not_needed": Problem(
        409,
        "Nothing is missing",
        "已满足条件，无需复核",
        "The programme's conditions are met: there is nothing for a person to look at.",
    ),
    "case_open": Problem(
        409,
        "A case about this is open",
        "已有正在处理的复核申请",
        "One case about one thing at a time: GET /v1/me/cases says until when it is decided.",
    ),
    "case_settled": Problem(
        409,
        "The case is decided or withdrawn",
        "复核申请已结束",
        "`state` says which. A case is decided once; something new can be asked anew.",
    ),
    "case_text_invalid": Problem(
        422,
        "The text can't be kept like this",
        "文字内容不符合要求",
        "`member` is empty, longer than `most` characters, or holds control characters.",
    ),
    "catalogue_missing": Problem(
        503,
        "No catalogue is published yet",
        "尚未发布信用信息目录",
        "Nothing is collected without one: `creditplus catalogue publish FILE --sources FILE`.",
    ),
    "consent_beyond_cap": Problem(
        422,
        "The request goes beyond what can be consented to",
        "请求超出授权上限",
        "`attribute` names what goes too far for this purpose, or isn't known.",
    ),
    "consent_cooling_down": Problem(
        409,
        "The citizen has refused a short while ago",
        "用户已拒绝，冷却期内不得再次请求",
        "The same partner may ask for this purpose again after `until`.",
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
    "dpop_proof_invalid": Problem(
        400,
        "The DPoP proof is missing or not valid",
        "DPoP 证明缺失或无效",
        "Send exactly one fresh DPoP proof (RFC 9449) made with the install's key.",
    ),
    "enrolment_excluded": Problem(
        409,
        "Another enrolment stands in the way",
        "与已报名的项目不可同时享受",
        "Leave `programme` first: of these the citizen has one at a time.",
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
    "identity_not_confirmed": Problem(
        422,
        "The identity is not confirmed",
        "身份核验未通过",
        "National id, name and phone must belong to one person, written as on the identity card.",
    ),
    "insufficient_authorization_details": Problem(
        403,
        "The token does not cover this programme",
        "令牌不包含该项目的授权",
        "Ask the citizen for a consent to this programme, then use the token of that consent.",
    ),
    "internal": Problem(
        500,
        "Something went wrong on our side",
        "服务内部错误",
        "Nothing was changed. The request id helps us to find out what happened.",
    ),
    "media_type_unsupported": Problem(
        415,
        "The body has an unsupported type",
        "不支持的内容类型",
        "Send application/json; the file of a submission as text/csv or application/jsonl.",
    ),
    "method_not_allowed": Problem(
        405, "The method is not allowed here", "不支持的请求方法", "See the `Allow` header."
    ),
    "name_invalid": Problem(
        422,
        "The name is not valid",
        "姓名无效",
        "Write the name as on the identity card; `fault` says what is wrong.",
    ),
    "national_id_invalid": Problem(
        422,
        "The national id is not valid",
        "身份证件号码无效",
        "Eighteen characters by GB 11643; `fault` says what is wrong.",
    ),
    "not_acceptable": Problem(
        406, "No acceptable form of the answer exists", "无法提供所需格式", "Accept JSON."
    ),
    "not_eligible_yet": Problem(
        409,
        "The citizen is not eligible yet",
        "暂未达到报名条件",
        "`missing` lists groups of conditions; of each group, one condition met is enough.",
    ),
    "not_found": Problem(
        404, "There is no such thing here", "未找到", "It does not exist, or it is not yours."
    ),
    "notice_outdated": Problem(
        409,
        "The notice was replaced by a newer one",
        "告知书已更新",
        "Show the notice of `current_version` and let the citizen accept it.",
    ),
    "parameter_invalid": Problem(
        400, "A parameter is not valid", "参数无效", "See `errors`: each names a parameter."
    ),
    "participation_required": Problem(
        409,
        "The citizen does not take part",
        "尚未加入信用+",
        "Join first: PUT /v1/me/participation.",
    ),
    "person_invalid": Problem(
        422,
        "The name of the person is not valid",
        "人员姓名无效",
        "1 to 100 printable characters that say who does this.",
    ),
    "phone_invalid": Problem(
        422,
        "The phone number is not valid",
        "手机号码无效",
        "A mobile number of the Chinese mainland, with or without +86.",
    ),
    "programme_closed": Problem(
        409,
        "The programme is not open",
        "项目未开放或已结束",
        "See `starts_on` and `ends_on` of the programme; the baseline goes on for everybody.",
    ),
    "scope_insufficient": Problem(
        403,
        "The token does not carry the scope this needs",
        "令牌权限不足",
        "Ask for the scope named in `scope`.",
    ),
    "score_missing": Problem(
        404,
        "There is no score",
        "暂无信用分",
        "A score exists only while you take part, and a moment after joining.",
    ),
    "score_revision_missing": Problem(
        404,
        "There is no such revision of the score",
        "没有这一次的信用分",
        "GET /v1/me/score/history lists the revisions there are; leaving erases them all.",
    ),
    "seats_sold_out": Problem(
        409,
        "All seats of the programme are taken",
        "名额已满",
        "Wait for one: with `wait` you are enrolled when it is your turn. The baseline goes on.",
    ),
    "sign_in_failed": Problem(
        401,
        "Signing in failed",
        "登录失败",
        "What was typed in is wrong, used up or too old; nothing else is told. A citizen asks for a"
        " new code, an operator waits for the next one.",
    ),
    "sign_in_throttled": Problem(
        429,
        "Too many wrong codes",
        "验证码错误次数过多",
        "Wait as long as Retry-After says; nothing is lost.",
    ),
    "simulation_class_not_scored": Problem(
        422,
        "The score does not look at this class of record",
        "信用分不看这一类信用信息",
        "`position` says which change. No scorecard may look at what needs a written consent.",
    ),
    "simulation_class_unknown": Problem(
        422,
        "There is no such class of record",
        "没有这一类信用信息",
        "`position` says which change; `record_class` is a code of the catalogue.",
    ),
    "simulation_date_invalid": Problem(
        422,
        "A day of the change is not possible",
        "日期无效",
        "`position` says which change and `member` which day: none lies after `as_of`, and nothing "
        "ends before it began.",
    ),
    "simulation_day_invalid": Problem(
        422,
        "The score can't be simulated for this day",
        "不能模拟这一天的信用分",
        "`as_of` lies between today and `months_ahead_max` months from now.",
    ),
    "simulation_quantity_invalid": Problem(
        422,
        "The quantity is not one the catalogue allows",
        "数量无效",
        "`position` says which change; `quantity` is 1 to `quantity_max`.",
    ),
    "simulation_record_not_adverse": Problem(
        422,
        "Only an adverse record can be repaired",
        "只有失信信息可以修复",
        "`position` says which change; any record can be taken as expired.",
    ),
    "simulation_record_unknown": Problem(
        422,
        "There is no such record to change",
        "没有可以改变的这条信用信息",
        "`position` says which change: a record of yours that stands, and each only once.",
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
    "under_age": Problem(
        422,
        "Only for adults",
        "仅限年满十八周岁",
        "The service is open to people of eighteen and older.",
    ),
}
