"""What the refusal codes a citizen can meet on a page mean, in words for people."""

import msgspec

from backend.web.words import NOTHING, Text


class WayOn(msgspec.Struct, frozen=True):
    """Where a page leads on to."""

    href: str
    text: Text


class ErrorWords(msgspec.Struct, frozen=True):
    """A refusal said to a person: what it is, what that means, where to go from here."""

    title: Text
    detail: Text
    way_on: WayOn


DESK = WayOn("/operator", Text("回到工作台", "Go to the desk"))
HOME = WayOn("/", Text("回到首页", "Go to the home page"))
SIGN_IN = WayOn("/sign-in", Text("重新登录", "Sign in again"))
JOIN = WayOn("/join", Text("了解并参加", "Read more and join"))
CONSENTS = WayOn("/consents", Text("查看我的授权", "See my consents"))
SCORE = WayOn("/score", Text("回到我的信用分", "Back to my score"))
PROGRAMMES = WayOn("/programmes", Text("回到项目", "Back to benefits"))
ORDERS = WayOn("/orders", Text("查看我的订单", "See my orders"))
CASES = WayOn("/cases", Text("查看我的复核", "See my reviews"))

# A code without an entry shows the title of PROBLEMS and the way home.
ERROR_WORDS = {
    "account_missing": ErrorWords(
        Text("这个账户不存在了", "This account no longer exists"),
        Text("它已经被注销。", "It has been deleted."),
        SIGN_IN,
    ),
    "already_enrolled": ErrorWords(
        Text("这个项目已经开通", "This benefit is on already"),
        Text("不需要再做什么。", "There is nothing more to do."),
        PROGRAMMES,
    ),
    "authorization_request_gone": ErrorWords(
        Text("这次授权请求已经结束", "This request is over"),
        Text(
            "它已经过期，或者您已经答复过。这里没有改变任何东西。如果还需要，请回到商户那里重新开始。",
            "It has expired, or you have answered it already. Nothing was changed here. "
            "If you still need it, go back to the merchant and start again.",
        ),
        CONSENTS,
    ),
    "benefit_unavailable": ErrorWords(
        Text("这个订单现在不能确认", "This order can't be confirmed now"),
        Text(
            "项目的预算暂时用完了。订单还在，您可以晚些再试，也可以取消它。",
            "The budget of the programme is used up for now. The order goes on waiting: try again "
            "later, or cancel it.",
        ),
        ORDERS,
    ),
    "body_invalid": ErrorWords(
        Text("表单没有完整到达", "The form did not arrive whole"),
        Text("请返回上一页再试一次。", "Go back one page and try again."),
        HOME,
    ),
    "calendar_unknown": ErrorWords(
        Text("现在还不能提交", "This can't be sent yet"),
        Text(
            "我们还没有明年的工作日历，无法给出答复期限。请过几天再试。",
            "We don't have next year's working days yet, so we can't promise a date. "
            "Please try again in a few days.",
        ),
        PROGRAMMES,
    ),
    "case_not_needed": ErrorWords(
        Text("这个项目的条件您已经满足", "You meet the conditions of this benefit"),
        Text("没有需要人工复核的地方。", "There is nothing for a person to look at."),
        PROGRAMMES,
    ),
    "case_open": ErrorWords(
        Text("您已经申请过，正在处理", "You have asked, and it is being looked at"),
        Text("同一件事同时只有一个申请。", "One request about one thing at a time."),
        CASES,
    ),
    "case_settled": ErrorWords(
        Text("这个申请已经有了结果", "This request has its answer"),
        Text("什么都没有改变。", "Nothing has changed."),
        CASES,
    ),
    "consent_beyond_cap": ErrorWords(
        Text("商户要求的超出了允许的范围", "The merchant asked for more than is allowed"),
        Text(
            "所以我们没有让您作决定。什么都没有改变，您可以关闭此页。",
            "So we did not ask you to decide. Nothing has changed; you can close this page.",
        ),
        HOME,
    ),
    "consent_cooling_down": ErrorWords(
        Text("这家商户暂时不能再问您", "This merchant may not ask you again yet"),
        Text(
            "您不久前拒绝过它的同一请求。什么都没有改变，您可以关闭此页。",
            "You refused it the same request a short while ago. "
            "Nothing has changed; you can close this page.",
        ),
        HOME,
    ),
    "cookie_missing": ErrorWords(
        Text("您的浏览器没有保存 Cookie", "Your browser keeps no cookies"),
        Text(
            "所以我们不知道是谁填写了表单。请允许本网站使用 Cookie，然后重新开始。",
            "So we can't tell who filled in the form. "
            "Allow cookies for this site, then start again.",
        ),
        SIGN_IN,
    ),
    "form_foreign": ErrorWords(
        Text("这张表单不能接受", "This form can't be accepted"),
        Text(
            "它不是从我们的页面发出的，或者页面打开得太久了。什么都没有改变。请重新打开页面再试。",
            "It did not come from our page, or the page was open for too long. "
            "Nothing has changed. Open the page again and try once more.",
        ),
        HOME,
    ),
    "internal": ErrorWords(
        Text("我们这里出了问题", "Something went wrong on our side"),
        Text("什么都没有改变。请稍后再试。", "Nothing has changed. Please try again in a while."),
        HOME,
    ),
    "not_eligible_yet": ErrorWords(
        Text("现在还不能开通", "Not yet"),
        Text(
            "情况刚刚有了变化。在项目页可以看到还差什么。人人都有的基准服务照旧。",
            "Something has just changed. The benefits page shows what is missing. "
            "The service that everybody gets goes on.",
        ),
        PROGRAMMES,
    ),
    "not_found": ErrorWords(
        Text("没有找到", "Not found"),
        Text(
            "地址可能打错了，或者它不属于您。",
            "The address may be mistyped, or what it names is not yours.",
        ),
        HOME,
    ),
    "obligation_replied": ErrorWords(
        Text("您已经答复过", "You have answered this already"),
        Text("什么都没有改变。", "Nothing has changed."),
        ORDERS,
    ),
    "obligation_state_conflict": ErrorWords(
        Text("现在不能这样答复", "This can't be answered like that now"),
        Text("它刚刚有了变化。什么都没有改变。", "It has just moved on. Nothing has changed."),
        ORDERS,
    ),
    "order_state_conflict": ErrorWords(
        Text("这个订单已经不能更改", "This order can't be changed any more"),
        Text(
            "它已经生效、结束或过期。什么都没有改变。",
            "It is active, over or expired. Nothing has changed.",
        ),
        ORDERS,
    ),
    "participation_required": ErrorWords(
        Text("请先参加信用+", "Join Credit+ first"),
        Text(
            "参加以后才能这样做。人人都有的基准服务与是否参加无关。",
            "This is for people who take part. "
            "The service that everybody gets is there for you either way.",
        ),
        JOIN,
    ),
    "programme_closed": ErrorWords(
        Text("这个项目现在没有开放", "This benefit is not open"),
        Text(
            "它还没有开始，或者已经结束。人人都有的基准服务照旧。",
            "It has not begun, or is over. The service that everybody gets goes on.",
        ),
        PROGRAMMES,
    ),
    "score_missing": ErrorWords(
        Text("您还没有信用分", "You have no score yet"),
        Text(
            "参加信用+ 以后才会有信用分；刚参加时请稍等片刻。",
            "There is a score only while you take part, and a moment after joining.",
        ),
        JOIN,
    ),
    "score_revision_missing": ErrorWords(
        Text("没有这一次的信用分", "There is no such score"),
        Text(
            "走势里列出了所有还在的分数；退出时它们会全部删除。",
            "Your history lists those that are there; leaving erases them all.",
        ),
        SCORE,
    ),
    "seats_sold_out": ErrorWords(
        Text("名额刚刚用完", "The last place has just gone"),
        Text(
            "有人退出时名额会空出来，您可以在项目页候补。人人都有的基准服务照旧。",
            "Places come free when people leave; you can wait for one on the page of benefits. "
            "The service that everybody gets goes on.",
        ),
        PROGRAMMES,
    ),
    "sign_in_failed": ErrorWords(
        Text("验证码已经失效", "The code is no longer good"),
        Text(
            "它已经用过，或者超过了五分钟。请重新登录。",
            "It was used, or is older than five minutes. Please sign in again.",
        ),
        SIGN_IN,
    ),
    "sign_in_throttled": ErrorWords(
        Text("试的次数太多了", "Too many tries"),
        Text(
            "为了保护您的账户，请过几分钟再试。什么都没有丢失。",
            "To protect your account, wait a few minutes. Nothing is lost.",
        ),
        SIGN_IN,
    ),
    "simulation_record_unknown": ErrorWords(
        Text("这条记录已经不计入了", "This record no longer counts"),
        Text(
            "它可能刚刚修复、更正或者到期。什么都没有改变。",
            "It may just have been repaired or corrected, or have ended. Nothing has changed.",
        ),
        SCORE,
    ),
    "too_many_requests": ErrorWords(
        Text("试的次数太多了", "Too many tries"),
        Text("请过一分钟再试。", "Please wait a minute and try again."),
        SCORE,
    ),
    "unavailable": ErrorWords(
        Text("系统暂时不在", "The service is away for a moment"),
        Text("什么都没有丢失，请过一会儿再试。", "Nothing is lost; try again in a little while."),
        HOME,
    ),
}


def words_of(code: str, *, title: str, title_zh: str) -> ErrorWords:
    """Return the words of a refusal code, or its title alone when it has none of its own."""
    return ERROR_WORDS.get(code) or ErrorWords(Text(title_zh, title), NOTHING, HOME)
