"""Goal: what nobody may collect is seen in any spelling, and innocent words are let through.

Method: tables of words that must be refused, of words that need a written consent, and of innocent
ones that look like them; Hypothesis puts words around them and gaps into them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.record.rules.denied import find_consented, find_denied

DENIED = [
    # as the law says it
    *(
        "宗教信仰",
        "基因检测",
        "指纹",
        "血型",
        "疾病记录",
        "病史",
        "政治观点",
        "位置轨迹",
        "社交关系",
        "网络言论",
    ),
    # other words for the same
    *(
        "无偿献血",
        "捐血次数",
        "造血干细胞捐献",
        "住院天数",
        "就医记录",
        "健康状况",
        "健康码",
        "政治面貌",
    ),
    *(
        "党员身份",
        "行踪",
        "出行轨迹",
        "手机定位",
        "朋友圈",
        "通讯录",
        "微博发言",
        "上访次数",
        "人脸特征",
        "佛教徒",
    ),
    # diseases by their names, and religion by its places
    *(
        "糖尿病登记",
        "高血压随访",
        "癌症筛查",
        "肿瘤登记",
        "传染病报告",
        "抑郁症",
        "心脏病",
        "疫苗接种",
    ),
    *("信教群众", "教会活动", "礼拜次数", "cancer screening", "tumour registry", "diabetes"),
    *("hypertension", "vaccination status", "hereditary traits", "faith", "mosque visits"),
    *("prayer", "face recognition", "travel trajectory", "communist party"),
    # what shows the same without its name: visits, tests, calls, ways
    *("清真寺捐建", "寺庙活动", "亲子鉴定", "步态特征", "视网膜特征", "门诊次数", "挂号次数"),
    *("手术次数", "病假天数", "医保就医", "乙肝", "肺结核", "血糖水平", "怀孕次数", "游行示威"),
    *(
        "出行记录",
        "行程明细",
        "乘车路线",
        "住宿记录",
        "通话详单",
        "亲属关系",
        "人际关系",
        "家庭成员",
    ),
    *("上网记录", "浏览记录", "点赞次数", "fingerprinting", "surgery", "outpatient visits"),
    *("clinic visits", "pregnancy", "paternity test", "retina", "sermons attended"),
    *("trip history", "routes taken", "phone calls", "call log", "browsing history"),
    *("family members", "relatives", "就醫記錄", "門診次數", "親屬關係", "腫瘤登記", "通話詳單"),
    # hidden: gaps, wide and traditional characters, variants
    *(
        "宗 教",
        "宗　教",
        "宗·教",
        "宗-教",
        "血_型",
        "疾\u200b病",
        "指紋",
        "獻血",
        "病歷",
        "位置軌跡",
        "言論",
        "宗敎",
    ),
    *(
        "Religion",
        "RELIGIOUS",
        "ｂｌｏｏｄ　ｔｙｐｅ",
        "bloodType",
        "blood_type",
        "Finger-print",
        "finger print",
    ),
    *(
        "d.n.a",
        "r e l i g i o n",
        "g_e_n_e",
        "Réligion",
        "Medical history",
        "Health",
        "Medical",
        "HIV",
    ),
    *(
        "Political opinion",
        "Whereabouts",
        "Location trace",
        "GPS points",
        "Social-graph",
        "Friends",
    ),
    *("Speech", "Posts", "Forum posts", "Party membership", "Genome", "Patient", "Hospitalisation"),
    # pinyin
    *(
        "zongjiao",
        "zong_jiao",
        "xianxue",
        "jiyin",
        "zhiwen",
        "xue_xing",
        "jibing",
        "xingzong",
        "shejiao",
    ),
    *("zhengzhi_mianmao", "yanlun", "weizhi_guiji"),
]
CONSENTED = [
    *(
        "收入",
        "月收入水平",
        "工资",
        "存款余额",
        "有价证券",
        "商业保险",
        "不动产登记",
        "纳税数额",
        "税额",
        "缴费基数",
    ),
    *("收　入", "存-款", "有價證券", "不動產", "納稅數額", "股票", "房产"),
    *(
        "Income",
        "Monthly income",
        "Salary",
        "Wages",
        "Bank deposits",
        "Savings",
        "Securities",
        "Shares",
    ),
    *("Real estate", "Commercial insurance", "Tax amount", "tax_paid", "ｉｎｃｏｍｅ"),
    *("shouru", "cunkuan", "bu_dong_chan", "shangye_baoxian", "shui_e"),
    *("年薪", "公积金余额", "银行流水", "理财产品", "车险", "寿险", "earnings", "bank balance"),
]
INNOCENT = [
    *(
        "社会公益荣誉",
        "热血青年标兵",
        "心血管楼管理员",
        "合作社交付",
        "报社交易",
        "转基因食品标识",
        "碳足迹",
    ),
    *(
        "物流轨迹更新",
        "政治协商会议表彰",
        "基本医疗保险参保",
        "医疗器械经营许可",
        "处方药经营许可",
        "产品定位",
    ),
    *(
        "信阳市荣誉",
        "环境整治",
        "友好单位",
        "免押金",
        "拖欠农民工工资",
        "非税收入缴库",
        "房产中介许可",
        "房地产经纪",
    ),
    *(
        "个人所得税年度汇算按期办理",
        "纳税信用级别",
        "社会保险缴费",
        "病虫害防治",
        "基层因公表彰",
        "奖励基金、因公",
    ),
    *("违反传染病防治法的处罚", "职业病防治", "教会学校", "Good-faith conduct", "Goods trajectory"),
    *(
        "Blood-free civic honour",
        "Income tax return filed",
        "Deposit-free rental",
        "Deposit waived",
    ),
    *("Security deposit returned", "Relocation", "Allocation", "Post office bill", "Postal order"),
    *("Good faith", "Medical insurance months", "Medical device licence", "Public health penalty"),
    *(
        "Occupational health licence",
        "Energy savings",
        "Unpaid wages",
        "General",
        "Generation",
        "Genuine",
    ),
    *(
        "Bloodhound kept",
        "Business location",
        "Xinyang honour",
        "huanjing_zhengzhi",
        "xian_xuexiao",
    ),
    *("普通话水平", "旅游行业处罚", "导游行为规范", "挂号信妥投", "门诊部执业许可", "总结核查"),
    *("手术器械经营许可", "绿色出行次数", "按时归还记录", "社保费缴纳", "经理财务", "行车险情"),
    *("物流产业示范", "路面部分修缮", "初步态势报告", "电话单位登记", "召回教材", "交流产品"),
    *("点赞之星", "Route licence", "Relative density", "Call centre licence", "Clinic licence"),
    *(
        "shejian",
        "Audit opinion",
        "Real estate agency licence",
        "In stock orders",
        "Metropolitan transit",
    ),
]


class TestWords:
    @pytest.mark.parametrize("text", DENIED)
    def test_no_consent_and_no_spelling_lets_it_in(self, text):
        assert find_denied(text)

    @pytest.mark.parametrize("text", CONSENTED)
    def test_what_needs_consent_is_seen_in_any_spelling(self, text):
        assert find_consented(text)

    @pytest.mark.parametrize("text", INNOCENT)
    def test_innocent_words_are_let_through(self, text):
        assert not find_denied(text)
        assert not find_consented(text)

    @given(
        st.sampled_from(DENIED), st.text("办理登记次数", max_size=4), st.text("单位，", max_size=3)
    )
    def test_words_around_it_do_not_hide_it(self, word, before, after):
        assert find_denied(f"{before} {word} {after}")

    @given(st.sampled_from([each for each in DENIED if each.isalpha() and not each.isascii()]))
    def test_gaps_between_characters_hide_nothing(self, word):
        if not any(char.isascii() for char in word):
            assert find_denied("\u3000".join(word))

    def test_what_ends_one_text_and_begins_the_next_is_no_word(self):
        assert find_denied("合作宗", "教学") == []
        assert find_denied("合作宗教学") == ["宗教"]
