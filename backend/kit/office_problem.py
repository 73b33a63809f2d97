"""What a problem is, and the half of the table that only operators and source departments meet.

The other half, and what raises them, is in `problem`; a code belongs here when no citizen and no
merchant can be told it.
"""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """What a refusal code means: HTTP status, titles for people, and what to do about it."""

    status: int
    title: str
    title_zh: str
    detail: str


OFFICE_PROBLEMS: dict[str, Problem] = {
    "body_incomplete": Problem(
        400,
        "The body did not arrive whole",
        "请求内容未完整到达",
        "It came too slowly, or the connection ended. Nothing is lost: send the same file again.",
    ),
    "budget_below_reserved": Problem(
        409,
        "More is reserved or spent than the budget would have",
        "已占用或已支出的金额超过新的预算上限",
        "`span` and `bucket` say of what: give the version at least `committed_fen` and `uses`.",
    ),
    "budget_bucket_invalid": Problem(
        422,
        "There is no such part of a budget",
        "预算分项无效",
        "`span` is programme (no `bucket`), partner (its id), day (2026-11-24) or month (2026-11).",
    ),
    "budget_refill_impossible": Problem(
        422,
        "The budget can't be refilled like this",
        "无法这样追加预算",
        "`fault` says why: only a limit there is can be raised, of no past day, by more than 0.",
    ),
    "calendar_invalid": Problem(
        422,
        "The calendar's file can't be taken in",
        "工作日历文件无效",
        "`faults` says why: whole years, every day once, `day,is_working` in the first line.",
    ),
    "case_taken": Problem(
        409,
        "Another operator works at this case",
        "该复核申请正由其他操作员处理",
        "`taken_by` says who. Who takes it over says whom from, in `taken_from`.",
    ),
    "catalogue_edition_conflict": Problem(
        409,
        "This edition was published with other texts",
        "该版本目录已以其他内容发布",
        "An edition is never edited: give the changed catalogue another edition.",
    ),
    "catalogue_records_kept": Problem(
        409,
        "There are records that this edition has no place for",
        "现存记录在该版本目录中没有位置",
        "`classes` would be gone, turn for or against people, or need a consent their `records`"
        " came without; `sources` would be gone. Keep them until what they reported is purged"
        " and no file of theirs waits.",
    ),
    "client_exists": Problem(
        409, "A client with this id exists", "客户端标识已存在", "Choose another client_id."
    ),
    "client_invalid": Problem(
        422, "The client can't be registered like this", "客户端信息无效", "See `errors`."
    ),
    "client_unknown": Problem(
        404, "There is no such client", "客户端不存在", "See GET /v1/operator/clients."
    ),
    "operator_exists": Problem(
        409, "An operator with this login exists", "操作员账号已存在", "Choose another login."
    ),
    "operator_invalid": Problem(
        422, "The operator can't be registered like this", "操作员信息无效", "See `errors`."
    ),
    "operator_password_weak": Problem(
        422,
        "This password can't be used",
        "密码不符合要求",
        "`reason` says why: at least 12 characters, at most 200, and not the login.",
    ),
    "operator_self": Problem(
        409,
        "Nobody does this to their own account",
        "不能对自己的账号执行此操作",
        "Another operator with the role security has to do it.",
    ),
    "operator_unknown": Problem(
        404, "There is no such operator", "操作员不存在", "See GET /v1/operator/operators."
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
    "programme_document_invalid": Problem(
        422,
        "The programme can't be proved",
        "项目文件未通过校验",
        "`faults` says why, one line each: see docs/programmes.md.",
    ),
    "programme_draft_taken": Problem(
        409,
        "Somebody else drafted this version",
        "该版本由他人起草",
        "Only who drafted it changes it, so that nobody approves text of their own: take another"
        " `version`.",
    ),
    "programme_dry_run_unfit": Problem(
        409,
        "The dry run does not show what would be approved",
        "预演与待批准内容不符",
        "`why`: unknown, other_text, other_live_version, other_scorecard, too_old (a day), faults."
        " Make another one.",
    ),
    "programme_dry_run_unknown": Problem(
        404,
        "There is no such dry run",
        "预演不存在",
        "See GET /v1/operator/programmes/{code}/versions/{version}/dry-runs.",
    ),
    "programme_seats_taken": Problem(
        409,
        "More citizens are enrolled than the programme would have seats",
        "已报名人数超过名额",
        "Publish a version with at least as many seats as citizens enrolled.",
    ),
    "programme_self_decision": Problem(
        409,
        "Nobody decides on what they wrote or submitted",
        "起草人、提交人不能审批同一版本",
        "Another operator with the role programmes has to decide.",
    ),
    "programme_step_impossible": Problem(
        409,
        "The version or programme does not allow this step",
        "当前状态不允许此操作",
        "`state` says where it stands and `step` what was asked: see docs/programmes.md.",
    ),
    "programme_unknown": Problem(
        404,
        "There is no such programme or version",
        "项目或版本不存在",
        "See GET /v1/operator/programmes.",
    ),
    "programme_version_taken": Problem(
        409,
        "Another document of this programme has this version, or a higher one is in force",
        "该版本号已被使用或已有更高版本",
        "Raise `version`: what was published is never changed.",
    ),
    "reason_missing": Problem(
        400,
        "The reason is missing or can't be read",
        "缺少操作理由",
        "Say why in `Operator-Reason`: 1 to 200 characters on one line, UTF-8, percent-encoded. It"
        " is kept with your name and can't be changed.",
    ),
    "record_repair_not_adverse": Problem(
        409,
        "Only what is held against somebody can be repaired",
        "只有失信信息可以修复",
        "The record's class is not adverse (NDRC Order 36). A wrong record is disputed.",
    ),
    "record_step_impossible": Problem(
        409,
        "The record's state does not allow this step",
        "信用信息当前状态不允许此操作",
        "`status` says where it stands and `step` what was asked: see docs/record-life.md.",
    ),
    "record_words_invalid": Problem(
        422,
        "Who acts, or why, can't be written down like this",
        "操作人或理由不符合要求",
        "`member` is empty, longer than `most` characters, not one line of text, or holds an"
        " identity or phone number: the citizen is shown it.",
    ),
    "report_day_invalid": Problem(
        422,
        "There is no report of this day",
        "报告日期无效",
        "A report is of today, or of an earlier day from 2000 on.",
    ),
    "scorecard_approver_repeated": Problem(
        409,
        "This person has approved the scorecard",
        "该人员已批准此评分卡",
        "A second person has to approve it: whoever submitted it may be one of the two.",
    ),
    "scorecard_dependants": Problem(
        409,
        "Programmes ask about what the scorecard does not hold",
        "评分卡缺少项目规则所需的指标",
        "See `faults`: keep the indicator, or publish the programme with another rule first.",
    ),
    "scorecard_missing": Problem(
        503,
        "No scorecard is in force",
        "尚无生效的评分卡",
        "Two people approve one first: see docs/scorecards.md.",
    ),
    "scorecard_report_unfit": Problem(
        409,
        "The report is no ground for approving this scorecard",
        "该报告不能作为批准依据",
        "See `fault`: a report counts for its own document, beside the scorecard that is in force"
        " now, for thirty days. Make a new one.",
    ),
    "scorecard_report_unknown": Problem(
        404, "There is no such report", "报告不存在", "`creditplus scorecard show` lists them."
    ),
    "scorecard_settled": Problem(
        409,
        "The scorecard is in force, or was",
        "评分卡已生效或曾经生效",
        "Submit a change as a new version.",
    ),
    "scorecard_unknown": Problem(
        404,
        "There is no such scorecard",
        "评分卡不存在",
        "`creditplus scorecard list` says which there are.",
    ),
    "scorecard_version_taken": Problem(
        409,
        "Another document has this version",
        "该版本号已被另一文件使用",
        "Give the document another version: what was submitted is never changed.",
    ),
    "submission_batch_id_invalid": Problem(
        422,
        "The batch id is not valid",
        "批次号无效",
        "1 to 100 letters, digits and . _ : -, beginning with a letter or digit.",
    ),
    "submission_batches_waiting": Problem(
        429,
        "Too many files of this source wait to be taken in",
        "待处理的报送过多",
        "Wait as long as Retry-After says, then send the same file again.",
    ),
    "submission_class_unknown": Problem(
        422,
        "The catalogue has no such class",
        "目录中无此信用信息类别",
        "Only catalogued classes are taken. See the catalogue for their codes.",
    ),
    "submission_conflict": Problem(
        422,
        "This batch was handed in with other content",
        "同一批次内容不一致",
        "A batch id is one file, one class, one reading of it; else give it a new batch id.",
    ),
    "submission_consent_missing": Problem(
        422,
        "This class is not taken by file",
        "该类信息须凭书面同意报送",
        "What needs a person's written consent can not be handed in without one.",
    ),
    "submission_header_invalid": Problem(
        422,
        "The first line does not name the columns",
        "首行列名无效",
        "See `missing`, `unknown` and `repeated`; the columns are in docs/submissions.md.",
    ),
    "submission_source_not_allowed": Problem(
        422,
        "This source may not report this class",
        "该单位无权报送此类信息",
        "The catalogue says which kinds of source may report a class.",
    ),
    "submission_source_unknown": Problem(
        422,
        "There is no such source",
        "无此信源单位",
        "Sources are listed in the catalogue's data.",
    ),
    "submission_too_long": Problem(
        422,
        "The file has too many lines",
        "报送文件行数过多",
        "A file holds at most 1,000,000 lines after the first: hand it in as several.",
    ),
}
