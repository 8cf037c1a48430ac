"""Chinese phrases of phantom reports (patterns: see ``_phrases.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmrg.studies.phantoms._phrases import Degrees, PhraseBook

if TYPE_CHECKING:
    from llmrg.studies.phantoms.truth import FindingTruth

__all__ = ["FIXED", "MAIN", "SHIFTED", "chinese_slots"]

_SIDE = {"left": "左", "right": "右"}
_ZONE = {"upper": "上", "middle": "中", "lower": "下"}
_PLACES = ("{s}肺{z}野", "{s}{z}肺野")
_SHIFTED_PLACES = ("{s}侧{z}肺", "{s}肺{z}部")
_DEVICE = {
    "endotracheal_tube": "气管插管",
    "gastric_tube": "胃管",
    "central_line": "中心静脉置管",
    "pacemaker": "心脏起搏器",
}
_COLLAPSE = {"plate": "盘状肺", "lobar": "肺叶"}


def chinese_slots(finding: FindingTruth, *, style: int = 0, shifted: bool = False) -> dict[str, str]:
    """Return the words of a finding's slots.

    Args:
        finding: what is to be said.
        style: which habit of naming a zone.
        shifted: the second set of habits.

    Returns:
        ``place`` (左肺上野), ``side`` (左侧, 双侧), ``part`` (上部), ``kind`` and ``device``; empty where unknown.
    """
    places = _SHIFTED_PLACES if shifted else _PLACES
    both = "两" if shifted else "双"
    letter = both if finding.side == "bilateral" else _SIDE.get(finding.side or "", "")
    zone = _ZONE.get(finding.zone or "", "")
    return {
        "place": places[style % len(places)].format(s=letter, z=zone) if letter and zone else f"{letter}{zone}肺",
        "side": f"{letter}侧" if letter else "",
        "part": f"{zone}部" if zone else " ",
        "kind": _COLLAPSE.get(finding.kind or "", "肺"),
        "device": _DEVICE.get(finding.kind or "", "置管"),
    }


_MAIN: Mapping[str, Degrees] = {
    "increased_lung_markings": {
        "mild": ("[双肺|两肺]纹理[稍增多|稍增粗|轻度增多|稍增多、增粗]",),
        "moderate": ("[双肺|两肺]纹理[增多、增粗|增粗、紊乱|增多、模糊|增多]",),
        "severe": ("[双肺|两肺]纹理[明显增多、增粗|明显增粗、紊乱|显著增多]",),
    },
    "patchy_opacity": {
        "mild": ("{place}[见|可见][少许斑片影|淡薄斑片状影|小斑片状模糊影]", "{place}[少许|淡薄]斑片状[阴影|模糊影]"),
        "moderate": ("{place}[见|可见|可见散在]斑片状[密度增高影|模糊影|影][|，边界欠清|，边缘模糊]",),
        "severe": ("{place}[见|可见]大片状[密度增高影|模糊影|阴影][|，边界不清]", "{place}[见|可见]广泛斑片状影"),
    },
    "consolidation": {
        "mild": ("{place}[见|可见]小片[状实变影|实变]", "{place}[见|可见]少许实变影"),
        "moderate": ("{place}[见|可见]片状实变影[|，边缘模糊|，内见支气管充气征]", "{place}见肺实变"),
        "severe": ("{place}[见|可见]大片[状实变影|实变影|实变][|，内见支气管充气征]",),
    },
    "nodule": {
        "mild": ("{place}[见|可见][小结节影|微小结节影|小结节状影]", "{place}[见|可见]小结节[|，边界清楚]"),
        "moderate": ("{place}[见|可见][结节影|类圆形结节影|结节状影][|，边界清楚|，边缘光整]",),
        "severe": ("{place}[见|可见][较大结节影|较大类圆形结节影][|，边界清楚]",),
    },
    "atelectasis": {
        "mild": ("{place}[轻度|少许]{kind}不张", "{place}[见|可见]轻度{kind}不张[征象|改变]"),
        "moderate": ("{place}[部分|见|可见]{kind}不张", "{place}体积缩小，呈{kind}不张改变"),
        "severe": ("{place}[明显|大部]{kind}不张", "{place}体积明显缩小，呈{kind}不张改变"),
    },
    "edema": {
        "mild": ("[双肺|双肺门周围]见轻度肺水肿[征象|改变]", "双肺轻度肺水肿[改变|]"),
        "moderate": ("双肺门影模糊，[呈|见]中度肺水肿[改变|征象]", "双肺[呈肺水肿改变|见肺水肿征象|中度肺水肿]"),
        "severe": ("双肺[见|呈]重度肺水肿[征象|改变]", "双肺门影明显模糊，呈[严重|重度]肺水肿改变"),
    },
    "pneumothorax": {
        "mild": ("{side}胸腔{part}[见|可见]少量[气胸|积气]", "{side}{part}少量气胸"),
        "moderate": ("{side}胸腔{part}见无肺纹理区，呈中等量气胸", "{side}{part}[中等量|中量]气胸"),
        "severe": ("{side}胸腔见大片无肺纹理透亮区，呈大量气胸", "{side}大量气胸，肺组织明显受压"),
    },
    "pleural_effusion": {
        "mild": ("{side}肋膈角变钝，{side}胸腔少量积液", "{side}胸腔[少量积液|见少量积液影]"),
        "moderate": ("{side}胸腔[中等量积液|中量积液|见中等量积液影][|，膈面显示不清]",),
        "severe": ("{side}胸腔[大量积液|见大量积液影][|，膈面及肋膈角消失]",),
    },
    "pleural_thickening": {
        "mild": ("{side}{part}胸膜[轻度增厚|稍增厚]",),
        "moderate": ("{side}{part}胸膜[增厚|中度增厚]", "{side}{part}见胸膜增厚[|、粘连]"),
        "severe": ("{side}{part}胸膜[明显增厚|显著增厚][|、粘连]",),
    },
    "cardiomegaly": {
        "mild": ("心影[轻度增大|稍增大|略大]", "心影稍大"),
        "moderate": ("心影[增大|中度增大][|，心胸比增大]",),
        "severe": ("心影[明显增大|显著增大|重度增大][|，心胸比明显增大]",),
    },
    "rib_fracture": {
        "mild": ("{side}{part}肋骨[见骨折线|骨折]，断端无[明显|]移位", "{side}{part}肋骨[线样骨折|见细线状骨折线]"),
        "moderate": ("{side}{part}肋骨[骨折，断端错位|骨皮质不连续，断端移位|骨折]",),
        "severe": ("{side}{part}肋骨[骨折，断端明显错位|骨折，断端明显移位]",),
    },
    "support_device": {
        "any": ("[可见|见|胸部可见]{device}[影|]", "{device}[影可见，|在位，]位置[可|尚可]"),
    },
}

_SHIFTED: Mapping[str, Degrees] = {
    "increased_lung_markings": {
        "mild": ("[两侧肺纹理|支气管血管束]略增强", "肺纹理轻微增重"),
        "moderate": ("[两侧肺纹理|两肺支气管血管束][增重|增强]", "两侧肺纹理增浓、模糊"),
        "severe": ("[两侧肺纹理|两肺支气管血管束]显著[增重|增强]，走行紊乱",),
    },
    "patchy_opacity": {
        "mild": ("{place}[内见|显示]浅淡[片状影|絮状影|片絮影]", "少许片絮状影位于{place}"),
        "moderate": ("{place}[显示|内见][片絮状影|云絮状影|片状密度增高区]", "斑片样高密度影位于{place}"),
        "severe": ("{place}[显示|内见][大片云絮状影|大片致密影|弥漫片絮状影]",),
    },
    "consolidation": {
        "mild": ("{place}[内见|显示]局限性小实变[灶|区]",),
        "moderate": ("{place}[内见|显示]实变[灶|区]", "{place}肺组织实变"),
        "severe": ("{place}[内见|显示]大面积实变[|区]", "{place}肺组织大部实变"),
    },
    "nodule": {
        "mild": ("{place}[内见|显示]小圆形结节灶", "微结节位于{place}"),
        "moderate": ("{place}[内见|显示][结节灶|类圆形结节灶]", "结节灶位于{place}"),
        "severe": ("{place}[内见|显示]大结节灶[|，轮廓光整]",),
    },
    "atelectasis": {
        "mild": ("{place}轻度膨胀不全", "{place}略有膨胀不全"),
        "moderate": ("{place}[膨胀不全|肺组织膨胀不全]", "{place}容积减小，提示肺不张"),
        "severe": ("{place}[重度膨胀不全|肺组织明显膨胀不全]",),
    },
    "edema": {
        "mild": ("两肺呈轻度[淤血、水肿|间质性肺水肿]表现",),
        "moderate": ("两肺[呈间质性肺水肿表现|肺水肿表现]", "两肺呈中度淤血、水肿表现"),
        "severe": ("两肺呈重度[淤血、水肿|肺泡性肺水肿]表现",),
    },
    "pneumothorax": {
        "mild": ("{side}{part}胸膜腔少许积气，肺轻度压缩",),
        "moderate": ("{side}{part}胸膜腔中等量积气，肺被压缩", "{side}{part}见气胸带，肺中度压缩"),
        "severe": ("{side}胸膜腔大量积气，肺明显压缩", "{side}见宽大气胸带，肺重度压缩"),
    },
    "pleural_effusion": {
        "mild": ("{side}肋膈角[欠锐利|变浅、变钝]，少量胸水", "{side}少量胸水"),
        "moderate": ("{side}胸膜腔中等量[液体影|积液]", "{side}中量胸水"),
        "severe": ("{side}胸膜腔大量[液体影|积液]", "{side}大量胸水，肺受压"),
    },
    "pleural_thickening": {
        "mild": ("{side}{part}胸膜略[增厚|肥厚]",),
        "moderate": ("{side}{part}胸膜肥厚[|、粘连]",),
        "severe": ("{side}{part}胸膜[显著肥厚|广泛增厚]",),
    },
    "cardiomegaly": {
        "mild": ("心脏[外形略大|轻度扩大]",),
        "moderate": ("心脏[外形增大|中度扩大|扩大]", "心胸比例增大"),
        "severe": ("心脏[外形显著增大|重度扩大]", "心胸比例明显增大"),
    },
    "rib_fracture": {
        "mild": ("{side}{part}肋骨连续性中断，对位良好",),
        "moderate": ("{side}{part}肋骨连续性中断，对位欠佳",),
        "severe": ("{side}{part}肋骨连续性中断，对位差，明显成角",),
    },
    "support_device": {"any": ("[体内可见|胸片示]{device}[影|在位]", "{device}[位置良好|留置中]")},
}

# The oracle's wording: one phrase each, side and degree always said.
_FIXED: Mapping[str, Degrees] = {
    "increased_lung_markings": {
        "mild": ("双肺纹理稍增多",),
        "moderate": ("双肺纹理增多",),
        "severe": ("双肺纹理明显增多",),
    },
    "patchy_opacity": {
        "mild": ("{place}见少许斑片影",),
        "moderate": ("{place}见斑片影",),
        "severe": ("{place}见大片状模糊影",),
    },
    "consolidation": {
        "mild": ("{place}见小片状实变影",),
        "moderate": ("{place}见片状实变影",),
        "severe": ("{place}见大片状实变影",),
    },
    "nodule": {
        "mild": ("{place}见小结节影",),
        "moderate": ("{place}见结节影",),
        "severe": ("{place}见较大结节影",),
    },
    "atelectasis": {
        "mild": ("{place}轻度肺不张",),
        "moderate": ("{place}肺不张",),
        "severe": ("{place}明显肺不张",),
    },
    "edema": {
        "mild": ("双肺见轻度肺水肿征象",),
        "moderate": ("双肺见肺水肿征象",),
        "severe": ("双肺见重度肺水肿征象",),
    },
    "pneumothorax": {
        "mild": ("{side}少量气胸",),
        "moderate": ("{side}中等量气胸",),
        "severe": ("{side}大量气胸",),
    },
    "pleural_effusion": {
        "mild": ("{side}胸腔少量积液",),
        "moderate": ("{side}胸腔中等量积液",),
        "severe": ("{side}胸腔大量积液",),
    },
    "pleural_thickening": {
        "mild": ("{side}{part}胸膜轻度增厚",),
        "moderate": ("{side}{part}胸膜增厚",),
        "severe": ("{side}{part}胸膜明显增厚",),
    },
    "cardiomegaly": {"mild": ("心影轻度增大",), "moderate": ("心影增大",), "severe": ("心影明显增大",)},
    "rib_fracture": {"any": ("{side}{part}肋骨骨折",)},
    "support_device": {"any": ("可见{device}影",)},
}

_IMPRESSIONS: Mapping[str, Degrees] = {
    "increased_lung_markings": {"any": ("[双肺纹理增多|双肺纹理增粗|肺纹理增多，符合支气管炎表现]",)},
    "patchy_opacity": {"any": ("{place}[斑片影|斑片状影|斑片影，请结合临床|斑片影，建议复查]",)},
    "consolidation": {"any": ("{place}[实变|肺实变|实变影]",)},
    "nodule": {"any": ("{place}[结节|结节影|结节，建议随访|结节，建议CT检查]",)},
    "atelectasis": {"any": ("{place}[肺不张|部分肺不张]",)},
    "edema": {"any": ("[肺水肿|肺水肿改变|双肺水肿]",)},
    "pneumothorax": {"mild": ("{side}少量气胸",), "moderate": ("{side}气胸",), "severe": ("{side}大量气胸",)},
    "pleural_effusion": {
        "mild": ("{side}[胸腔少量积液|少量胸腔积液]",),
        "moderate": ("{side}胸腔积液",),
        "severe": ("{side}[大量胸腔积液|胸腔大量积液]",),
    },
    "pleural_thickening": {"any": ("{side}胸膜增厚",)},
    "cardiomegaly": {"mild": ("心影[轻度|稍]增大",), "moderate": ("心影增大",), "severe": ("心影明显增大",)},
    "rib_fracture": {"any": ("{side}肋骨骨折",)},
    "support_device": {"any": ("[{device}在位|{device}术后|{device}置入术后]",)},
}

_NORMAL: Mapping[str, Sequence[str]] = {
    "clear": (
        "[双肺野清晰|双肺清晰|双肺野透亮度正常，肺野清晰]，未见[明显|]{absent}",
        "双肺[|野][未见明显实质性病变|未见明显异常密度影]",
        "{child}双肺野清晰",
    ),
    "rest": ("余肺[|野]未见[明显|]{absent}", "余肺野[清晰|未见明显异常]"),
    "none": ("未见[明显|]{absent}", "无[明显|]{absent}"),
    "markings": ("双肺纹理[清晰|走行自然|走行清晰，分布均匀|未见明显增多]",),
    "mediastinum": ("[气管|气管、纵隔]居中[|，纵隔未见增宽]", "纵隔[不宽|未见增宽][|，气管居中]"),
    "hila": ("双肺门[影不大|影未见增大|结构清晰]",),
    "heart": (
        "心影[大小、形态正常|大小形态未见异常|不大|形态大小在正常范围]",
        "{adult}心影大小正常，[心胸比在正常范围|主动脉结无突出]",
        "{child}心影大小正常[，胸腺影不大|]",
    ),
    "angles": (
        "[双侧膈面光整|双膈面光滑|双膈光整]，[双侧|]肋膈角[锐利|清晰锐利]",
        "双侧[胸腔未见积液|肋膈角锐利]，膈面[光整|光滑]",
    ),
    "other_angle": ("{other}侧肋膈角[锐利|清晰]", "{other}侧胸腔未见[明显|]积液"),
    "bones": (
        "[所见骨质|胸廓诸骨|所示骨骼]未见[明显|]异常",
        "胸廓对称，[诸骨骨质未见异常|肋骨走行自然|未见明显骨折征象]",
        "{child}胸廓[对称|骨质结构完整]",
    ),
}

_SHIFTED_NORMAL: Mapping[str, Sequence[str]] = {
    "clear": ("两肺[未见活动性病变|野无特殊]，{absent}均未见", "两肺透光度良好，无{absent}"),
    "rest": ("其余肺野无{absent}", "其余肺组织[无殊|透光良好]"),
    "none": ("{absent}均未见", "无{absent}[征象|]"),
    "markings": ("[肺血管纹理分布|两肺纹理走向]正常",),
    "mediastinum": ("[上纵隔无增宽|纵隔影居中|气管无偏移]",),
    "hila": ("[两肺门大小正常|肺门无增大]",),
    "heart": ("心脏[外形正常|大小在正常范围|外形无增大]", "{adult}心胸比例正常"),
    "angles": ("[膈肌位置正常|膈顶光滑]，[两侧肋膈角尖锐|肋膈窦锐利]",),
    "other_angle": ("{other}侧[肋膈角尖锐|胸膜腔未见液体]",),
    "bones": ("[骨性胸廓|胸壁骨质]无[殊|异常]", "[肋骨未见骨折|骨质结构无异常]"),
}

# The oracle's words for a study without findings.
_FIXED_NORMAL: Mapping[str, Sequence[str]] = {
    "clear": ("双肺野清晰",),
    "markings": ("双肺纹理清晰",),
    "heart": ("心影大小、形态正常",),
    "angles": ("双侧膈面光整，肋膈角锐利",),
    "bones": ("所见骨质未见异常",),
}

_CLEAN = (
    "[心肺膈未见明显异常|胸部平片未见明显异常|心、肺、膈未见异常|胸片未见明显异常]",
    "双肺[未见活动性病变|未见明显实质性病变]，心影[不大|大小正常]",
)

_ORDERS = (
    ("lung", "mediastinum", "heart", "pleura", "bones", "device"),
    ("lung", "pleura", "mediastinum", "heart", "bones", "device"),
    ("bones", "mediastinum", "lung", "heart", "pleura", "device"),
)

MAIN = PhraseBook(findings=_MAIN, impressions=_IMPRESSIONS, normal=_NORMAL, clean=_CLEAN, orders=_ORDERS)
SHIFTED = PhraseBook(
    findings=_SHIFTED,
    impressions=_SHIFTED,
    normal=_SHIFTED_NORMAL,
    clean=("[胸部X线检查无异常发现|胸片无异常]",),
    orders=(
        ("device", "heart", "mediastinum", "lung", "pleura", "bones"),
        ("heart", "mediastinum", "bones", "pleura", "lung", "device"),
    ),
)
FIXED = PhraseBook(
    findings=_FIXED, impressions=_FIXED, normal=_FIXED_NORMAL, clean=("双肺未见异常",), orders=_ORDERS[:1]
)
