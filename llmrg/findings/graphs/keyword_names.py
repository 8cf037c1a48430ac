"""The 24 anatomy and 24 lesion keywords of CN-X2RG.

The English names are those of Table 1 of the paper (Tang et al. 2023, doi 10.1007/978-3-031-47401-9_8); the Chinese
names, and which words stand for a keyword, are our choice (``docs/graphs.md``, section 4).
"""

from __future__ import annotations

__all__ = ["ANATOMY_KEYWORDS", "LESION_KEYWORDS", "UNSIDED_KEYWORDS"]

ANATOMY_KEYWORDS: dict[str, str] = {
    "Chest": "胸廓",
    "Hilum": "肺门",
    "Heart": "心影",
    "Diaphragmatic": "膈面",
    "Costophrenic angle": "肋膈角",
    "Lung": "肺",
    "Aorta": "主动脉",
    "Rib": "肋骨",
    "Mediastinum": "纵隔",
    "Pleura": "胸膜",
    "Vertebrae": "椎体",
    "Aortic knot": "主动脉结",
    "Aortic arch": "主动脉弓",
    "Fissures": "叶间裂",
    "Bone": "骨",
    "Trachea": "气管",
    "Neck": "颈",
    "Horizontal split": "水平裂",
    "Bronchi": "支气管",
    "Bowel": "肠",
    "Diaphragm": "膈",
    "Pulmonary artery": "肺动脉",
    "Belly": "腹",
    "Vessels": "血管",
}
"""Chinese names by keyword, in the order of the table."""

LESION_KEYWORDS: dict[str, str] = {
    "Postoperative": "术后",
    "Gas": "气体",
    "Shadow": "影",
    "Texture": "纹理",
    "Calcification": "钙化",
    "Insert": "置入",
    "No lung texture": "无肺纹理",
    "Effusion": "积液",
    "Transparency": "透亮度",
    "Fracture": "骨折",
    "Prominence": "突出",
    "Side bend": "侧弯",
    "Intubation": "插管",
    "Deformed": "变形",
    "Drainage": "引流",
    "Emphysema": "气肿",
    "Atelectasis": "不张",
    "Flame": "炎",
    "Torque": "迂曲",
    "Blur": "模糊",
    "Disappeared": "消失",
    "Weaken": "减弱",
    "Enhanced": "增强",
    "Shift": "移位",
}
"""Chinese names by keyword, in the order of the table."""

UNSIDED_KEYWORDS = frozenset(
    {"Heart", "Aorta", "Mediastinum", "Vertebrae", "Aortic knot", "Aortic arch", "Trachea", "Neck", "Bowel", "Belly"}
    | {"Side bend", "Torque"}
)
"""Keywords whose side says nothing."""
