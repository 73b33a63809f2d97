"""What nobody may collect, and what only with the person's written consent, as words.

征信业管理条例 art. 14 and product line 6. Whatever a catalogue, a source or a programme says about
itself is looked through for them, as a reader would: wide and traditional characters, spaces and
dashes inside a word, accents, letters one by one and the obvious pinyin hide nothing. A word with
an innocent meaning is let through where the words around it say so (转基因, income tax). Names of
departments are not looked at: a health authority may hand in its penalties.
"""

import re
import unicodedata
from collections.abc import Sequence

# No consent makes these collectable.
_DENIED_ZH = re.compile(
    # religion
    r"宗教|信仰|信教|佛教|道教|基督|天主教|伊斯兰|穆斯林|教徒|信徒|教会(?!学)|礼拜"
    r"|清真寺|寺庙|寺院|教堂"
    # genes; food may be labelled for its own
    r"|(?<!转)基因|遗传|染色体|亲子鉴定|亲缘鉴定"
    # fingerprints and what else is measured of a body
    r"|指纹|掌纹|声纹|虹膜|视网膜|人脸|面部(?:特征|识别)|步态(?!势)|生物识别"
    # blood: its type, and giving it, which says who is healthy; 心血 and 热血 are no blood
    r"|血型|血液|血样|血浆|血小板|血站|造血|骨髓|[献捐采输抽验]血"
    # disease and medical history; 诊疗 and 医疗 by themselves are a trade, and penalties rest on
    # the laws on 职业病 and 传染病
    r"|疾病|病史|病历|病情|病症|病人|患病|患者|慢性病|精神病|肝炎|艾滋|确诊|住院|就诊|用药|处方(?!药)"
    r"|糖尿病|血压|血糖|心脏病|肿瘤|癌|抑郁|乙肝|肺结核|传染病(?!防治)|疫苗接种|接种(?:疫苗|记录)"
    r"|门诊(?!部)|挂号(?!信)|手术(?!器械)|病假|怀孕|孕产|医保(?:就医|结算|报销)"
    r"|(?:医疗|就医|诊疗|体检|健康)(?:记录|史|信息|数据|次数|结果|报告|情况|状况|档案|明细)|健康码"
    # political opinion
    r"|政治(?!协商)|政见|党派|党籍|党员|入党|投票|游行示威|集会游行"
    # location traces; goods have tracks, and carbon has a footprint; 旅游行业 is no march
    r"|行踪|(?<!碳)足迹|(?<!物流)(?<!货物)轨迹|位置(?:信息|数据|记录)|地理位置|实时位置|行程码"
    r"|(?:出行|行程|住宿)(?:记录|明细)|(?:乘车|行车|骑行|通勤|出行)(?:路线|线路)"
    r"|(?:GPS|gps|手机|卫星)定位|定位(?:信息|数据|记录)"
    # social graph; 合作社交付 is a cooperative that delivers
    r"|(?<![作旅报学书])社交|社交(?![付货易流通接纳割款租])|社会关系|好友|朋友圈|通讯录|人脉|粉丝"
    r"|亲属关系|人际关系|家庭成员|(?<!普)通话(?:记录|详单|次数|时长|对象)|话单(?!位)"
    # speech
    r"|言论|发帖|跟帖|发言|评论|微博|博文|聊天|论坛|信访|上访"
    r"|(?:上网|浏览|搜索|点赞)(?:记录|历史|次数)"
)
_DENIED_EN = re.compile(
    r"\b(?:religio\w*|worship\w*|church\w*|buddhis\w*|taois\w*|christian\w*|catholic\w*|muslim\w*"
    r"|islam\w*|jewish|judaism|hindu\w*|(?<!good )faiths?|mosques?|prayers?|sermons?"
    r"|genes?|hered\w*|genetic\w*|genom\w*|genotyp\w*|dna"
    r"|(?:finger|palm|voice|face) ?print(?:s|ed|ing)?|biometric\w*|iris scans?|retinas?"
    r"|(?:facial|face) recognition"
    r"|blood(?! free)(?!hound|shed)\w*"
    r"|diseases?|illness\w*|sickness|diagnos[ei]s|diagnosed|patients?|prescriptions?|medications?"
    r"|surger(?:y|ies)|(?:out|in)patients?|clinic visits?|pregnan\w*|paternity tests?"
    r"|hospital\w*|psychiatric|hiv|cancers?|tumou?rs?|diabet\w*|hypertension|vaccinat\w*"
    r"|medical(?! (?:insurance|devices?|equipment|institutions?|practi\w+|licen[cs]es?|supplies))"
    r"|(?<!public )(?<!occupational )(?<!food )(?<!environmental )"
    r"health(?! (?:insurance|licen[cs]es?|inspections?|permits?|and safety))"
    r"|politic\w*|communist party|party member\w*"
    r"|ballots?|votes?|voting|(?<!audit )opinions?|petition\w*"
    r"|(?<!business )locations?|whereabouts|gps|geoloc\w*|itinerar\w+|(?<!goods )trajector\w+"
    r"|(?:trip|travel|route) histor\w+|routes taken"
    r"|movement (?:trac\w+|histor\w+|patterns?|profiles?)"
    r"|social ?(?:graph|network|media|circle|tie|contact|relation)\w*|friends?|followers"
    r"|contact lists?|address ?books?|family members?|relatives|phone calls?"
    r"|(?:call|browsing|search) (?:logs?|records?|histor\w+)"
    r"|speech(?:es)?|posts|(?:online|forum|blog) post|tweets?|blogs?|comments?|chats?|forums?"
    # pinyin, syllables together or apart; 信阳 and 整治 read like 信仰 and 政治
    r"|zong ?jiao|ji ?yin|zhi ?wen|xue ?xing|xian ?xue|ji ?bing|bing ?shi|bing ?li"
    r"|zheng ?zhi ?(?:mian ?mao|guan ?dian|li ?chang|qing ?xiang)"
    r"|(?:wei ?zhi ?)?gui ?ji|xing ?zong|she ?jiao|yan ?lun|fa ?tie)\b"
)
# Art. 14 second paragraph: only with the person's written consent to this very use.
_CONSENTED_ZH = re.compile(
    # income; wages that are owed to others speak of who owes them
    r"(?<!非税)收入|(?<!拖欠)(?<!农民工)工资|薪资|薪酬|薪金|缴[费存]基数"
    r"|年薪|银行流水|(?:账户|公积金)余额|理财产品|车险(?!情)|寿险"
    r"|存款|储蓄|有价证券|股票|债券|基金持仓|证券账户"
    r"|商业保险|人寿保险|保单"
    r"|不动产|(?<!房地)房产(?!中介)|房屋产权|住房产权"
    r"|税额|(?:纳税|缴税|税款)(?:数额|金额)"
)
_CONSENTED_EN = re.compile(
    r"\b(?:income(?! tax\b)|earnings|bank (?:balances?|statements?)"
    r"|salar(?:y|ies)|(?<!unpaid )wages?(?! arrears)|contribution base"
    r"|(?<!security )(?<!rental )(?<!library )deposits?(?! (?:free|waiv\w+|exempt\w*))"
    r"|(?<!energy )(?<!water )savings|securities|(?<!bike )(?<!car )shares|stock holdings?|bonds"
    r"|real estate(?! agen\w+)|property (?:value|ownership)|home ownership"
    r"|(?:commercial|life|car) insurance|insurance polic(?:y|ies)"
    r"|tax (?:amounts?|paid|payable|sums?)"
    r"|shou ?ru|cun ?kuan|you ?jia ?zheng ?quan|shang ?ye ?bao ?xian|bu ?dong ?chan|shui ?e)\b"
)
# Words that mean nothing else, so that they are found with their letters apart.
_SPELLED = tuple(
    (word, re.compile(r"\b" + " ?".join(word) + r"\b"))
    for word in ("religion", "gene", "dna", "fingerprint", "blood", "disease", "political")
)
_SIMPLIFIED = str.maketrans(
    "敎穌紋聲臉識別獻採輸驗漿遺傳體醫療診斷檔歷慣狀結報況細數據碼黨見蹤蹟跡軌實時衛機發論評壇訪會關係貨讀書學資費錢儲價證帳賬戶業險單動產納稅額屬錄絲"
    "記廟視網門掛號術懷親話詳遊覽瀏點壓車銀財餘鬱腫線緣鑑際",
    "教稣纹声脸识别献采输验浆遗传体医疗诊断档历惯状结报况细数据码党见踪迹迹轨实时卫机发论评坛访会关系货读书学资费钱储价证帐账户业险单动产纳税额属录丝"
    "记庙视网门挂号术怀亲话详游览浏点压车银财余郁肿线缘鉴际",
)


def find_denied(*texts: str) -> list[str]:
    """Return the words in `texts` that name what may not be collected at all, each once."""
    found = _found(texts, _DENIED_ZH, _DENIED_EN)
    for word, pattern in _SPELLED:
        spelled = (match for text in texts for match in pattern.findall(_english(text)))
        if any(" " in each for each in spelled):
            found.setdefault(word)
    return list(found)


def find_consented(*texts: str) -> list[str]:
    """Return the words in `texts` that name what needs written consent, each once."""
    return list(_found(texts, _CONSENTED_ZH, _CONSENTED_EN))


def _found(
    texts: Sequence[str], chinese: re.Pattern[str], english: re.Pattern[str]
) -> dict[str, None]:
    """Look at each text by itself: what ends one and begins the next is no word."""
    found: list[str] = []
    for text in texts:
        found += chinese.findall(_chinese(text))
        found += english.findall(_english(text))
    return dict.fromkeys(found)


def _chinese(text: str) -> str:
    """Give a text without what stands between the characters of one word.

    Commas and brackets stay: they part words.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_SIMPLIFIED)
    return "".join(char for char in plain if not _is_gap(char))


def _is_gap(char: str) -> bool:
    return unicodedata.category(char) in {"Zs", "Zl", "Zp", "Cf", "Cc", "Pc", "Pd", "Mn"} or (
        char in "·・•.*/|+~'’"
    )


def _english(text: str) -> str:
    """Give a text as lower-case words of plain letters, one space between them."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(char for char in decomposed if unicodedata.category(char) not in {"Mn", "Cf"})
    return re.sub(r"[^a-z0-9]+", " ", letters).strip()
