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
    "calendar_invalid": Problem(
        422,
        "The calendar's file can't be taken in",
        "工作日历文件无效",
        "`faults` says why: whole years, every day once, `day,is_working` in the first line.",
    ),
    "calendar_unknown": Problem(
        503,
        "Whether a day is a working day is not known",
        "工作日历未覆盖该日期",
        "An operator has to import the year of `day` first; nothing is guessed.",
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
    "partner_exists": Problem(
        409, "A partner with this code exists", "商户代码已存在", "Choose another code."
    ),
    "partner_invalid": Problem(
        422, "The partner can't be registered like this", "商户信息无效", "See `errors`."
    ),
    "partner_unknown": Problem(
        404, "There is no such partner", "商户不存在", "Add the partner before its clients."
    ),
    "programme_seats_taken": Problem(
        409,
        "More citizens are enrolled than the programme would have seats",
        "已报名人数超过名额",
        "Publish a version with at least as many seats as citizens enrolled.",
    ),
    "programme_version_taken": Problem(
        409,
        "Another document of this programme has this version, or a higher one is in force",
        "该版本号已被使用或已有更高版本",
        "Raise `version`: what was published is never changed.",
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
