"""What nobody may collect, and what only with the person's written consent.

征信业管理条例 art. 14 and product line 6, as words: whatever a catalogue, a source or a programme
says about itself is looked through for them.
"""

import re

# No consent makes these collectable.
_DENIED_ZH = (
    *("宗教", "信仰", "基因", "指纹", "血型", "献血", "疾病", "病史", "病历"),
    *("政治", "位置轨迹", "行踪", "社交", "言论", "发帖"),
)
_DENIED_EN = re.compile(
    r"\b(?:religio\w*|genes?|genetic\w*|dna|fingerprints?|blood|diseases?|illness\w*"
    r"|medical|health|politic\w*|opinions?|location|whereabouts|social[ _](?:graph|network)\w*"
    r"|friends?|speech|posts?)\b"
)
# Art. 14 second paragraph: only with the person's written consent to this very use.
_CONSENTED_ZH = ("收入", "存款", "有价证券", "商业保险", "不动产", "纳税数额", "税额")
_CONSENTED_EN = re.compile(
    r"\b(?:income|salary|wages?|deposits?|savings|securities|shares|real estate|property value"
    r"|commercial insurance|tax amounts?|tax paid)\b"
)


def find_denied(*texts: str) -> list[str]:
    """Return the words in `texts` that name what may not be collected at all."""
    text = _plain(texts)
    return [word for word in _DENIED_ZH if word in text] + _DENIED_EN.findall(text)


def find_consented(*texts: str) -> list[str]:
    """Return the words in `texts` that name what needs written consent."""
    text = _plain(texts)
    return [word for word in _CONSENTED_ZH if word in text] + _CONSENTED_EN.findall(text)


def _plain(texts: tuple[str, ...]) -> str:
    return " ".join(texts).replace("_", " ").lower()
