"""What Chinese reports call the findings beyond the CheXpert classes (vocabulary ``radiograph``)."""

from __future__ import annotations

from llmrg.findings._phrases_zh import GAP, NOT_SEEN, Phrase, phrase

__all__ = ["WIDER_NORMALS", "WIDER_PHRASES"]

_SPINE = r"(?:胸腰?椎|腰椎|颈椎|脊柱|脊椎|椎体|椎缘|椎间)"
_AORTA = r"(?:(?:升|降)?主动脉(?:结|弓|球|壁|影)?|主A)"
_DIAPHRAGM = r"膈(?:肌|面|顶|影|穹窿)?"

WIDER_PHRASES: dict[str, Phrase] = {
    "emphysema": phrase("气泡疱", r"(?<!皮下)(?<!纵隔)(?<!组织)肺气肿|(?:代偿|老年)性?气肿|肺大[泡疱]"),
    "hyperinflation": phrase(
        "充透膨低桶残",
        r"(?:过度|过量)(?:充气|膨胀)|充气过[度多]|(?:透亮度|透光度|透过度|透亮|透光)(?:[弥普][漫遍]性?|均|稍|略"
        r"|轻度|明显)*(?:增高|增强|增加|过高)"
        rf"|{_DIAPHRAGM}{GAP}{{0,5}}?(?:低平|低位|平坦|变平)|桶状胸|残气量?增[多加]",
    ),
    "low_lung_volume": phrase(
        "积吸充小缩通",
        r"(?:肺|肺叶|叶)(?:容积|体积|野)(?:明显|稍|略|轻度|较前)*(?:减小|缩小|变小|减少|减低|偏小|小)|(?:容积"
        r"|体积)(?:明显|稍|略|轻度)*(?:减小|缩小)"
        r"|(?:吸气|充气|通气)(?:相)?(?:不足|欠佳|欠充分|较差|不充分)|低肺容积",
    ),
    "calcification": phrase(
        "钙",
        rf"(?:肺门?|淋巴结|结节|灶|点状|斑点|[上中下]叶|[上中下]野|内|见|多发|散在|陈旧){GAP}{{0,5}}?钙化|钙化(?:灶"
        rf"|点|影|结节|斑)",
    ),
    "scarring": phrase(
        "纤瘢疤旧硬",
        r"纤维(?:灶|化|条索|索条|增殖|性|增生|硬结|病变|病灶|影)|瘢痕|疤痕|(?:陈旧性?|硬结)(?:病变|病灶|灶|改变"
        r"|结核|肺结核)",
    ),
    "interstitial_changes": phrase(
        "间网蜂线",
        r"间质(?:(?:性|纹理|的)*(?:改变|病变|增生|纤维化|增厚|增多|炎症|炎|肺炎|浸润|水肿|肺水肿|影)|性肺病)"
        r"|间质性(?!肺?气肿)|网状影|网格状?(?:影|改变)|网织"
        r"|蜂窝|小叶间隔(?:线)?(?:增厚|增宽)|(?i:Kerley)",
    ),
    "cavity": phrase("洞腔", r"空洞|空腔"),
    "bronchitis": phrase("炎支", r"支?气管(?:周围)?炎(?:症|性)?|慢支(?!架)|支周炎|细支气管炎"),
    "bronchiectasis": phrase("张扩轨戒", rf"支气管{GAP}{{0,4}}?扩张|支扩|轨道征|印戒征"),
    "tuberculosis": phrase("核原TB", r"结核(?!菌素)|原发综合征|(?<![A-Za-z])TB(?![A-Za-z])"),
    "hilar_enlargement": phrase(
        "门",
        rf"肺门(?:(?!纵隔|肺野|心影)(?!不大|{NOT_SEEN}异常)[^，。；：！？]){{0,8}}?(?:增大|增浓|增宽|浓密|肿大|饱满"
        rf"|突出|肿块|团块|扩大|大(?=[，。；：！？、（）]|$))",
    ),
    "pneumomediastinum": phrase("隔", rf"纵隔{GAP}{{0,5}}?(?:气肿|积气|游离气|气体)"),
    "subcutaneous_emphysema": phrase("皮软胸", rf"(?:皮下|软组织|胸壁|颈部){GAP}{{0,8}}?(?:气肿|积气|气体|含气影)"),
    "free_air": phrase("膈腹游", rf"膈下{GAP}{{0,6}}?(?:游离气|气体|积气|透亮影|透亮带)|气腹|腹腔{GAP}{{0,3}}?游离气"),
    "mediastinal_shift": phrase(
        "隔管心",
        rf"(?:纵隔|气管|心影|心脏|心)(?:(?!旁){GAP}){{0,8}}?(?:移位|偏移|偏位|[左右]移|[左右]偏|向(?:健侧|患侧|对侧"
        rf"|[左右](?:侧)?)(?:稍|略|轻度|明显)*(?:移|偏))",
    ),
    "aortic_change": phrase(
        "主",
        rf"{_AORTA}{GAP}{{0,7}}?(?:迂曲|纡曲|增宽|扩张|钙化|突出|凸出|隆凸|延长|伸长|硬化|扭曲|膨隆|瘤|屈曲|宽大)"
        rf"|主动脉型心",
    ),
    "elevated_diaphragm": phrase(
        "膈",
        rf"{_DIAPHRAGM}(?:(?!肋膈角|光整|光滑){GAP}){{0,6}}?(?:抬高|升高|上抬|上移|膨升|膨隆|膨出|高位|抬升|上升"
        rf"|略高|较高|偏高)",
    ),
    "hernia": phrase("疝", r"(?:膈|裂孔|食管裂孔|胸腹裂孔|胸骨后|胸骨旁)?疝(?!修补)"),
    "scoliosis": phrase(
        "侧形椎柱", rf"{_SPINE}{GAP}{{0,8}}?(?:侧弯|侧凸|侧突|[SC]形|[SC]型|向[左右]侧?(?:侧)?(?:弯|凸))|(?:脊柱)?侧弯"
    ),
    "degenerative_spine": phrase(
        "退增骨刺唇椎",
        rf"{_SPINE}{GAP}{{0,8}}?(?:退行|退变|增生|唇样|变尖|骨刺|骨赘|骨桥|硬化)|退行性(?:改变|变|骨关节)|椎体骨质增生",
    ),
    "postoperative": phrase("术切", r"术后|切除后|手术(?:史|痕迹|改变)|部分切除|开胸"),
    "foreign_body": phrase("异硬币池弹针", r"异物|硬币|[钮纽]扣电池|电池影|弹片|弹头|别针|回形针"),
}

WIDER_NORMALS: dict[str, Phrase] = {
    "hyperinflation": phrase("透", r"透(?:亮|光|过)度?(?:大致|基本|未见)*(?:正常|良好|适中)"),
    "hilar_enlargement": phrase(
        "门",
        rf"肺门(?:(?!增大|增浓|模糊|不清|欠清)[^，。；：！？]){{0,8}}?(?:不大|不增大|正常|如常|{NOT_SEEN}(?:异常"
        rf"|增大|特殊|殊|增浓)|清晰|清楚)",
    ),
    "mediastinal_shift": phrase("中", rf"(?:纵隔|气管|心影)(?:(?!移|偏){GAP}){{0,8}}?居中|气管(?:位置)?正常"),
    "aortic_change": phrase(
        "主",
        rf"{_AORTA}(?:(?!迂|增宽影){GAP}){{0,6}}?(?:正常|如常|不宽|不突出|不增宽|{NOT_SEEN}(?:异常|突出|增宽|迂曲"
        rf"|特殊|殊|凸出|扩张))",
    ),
    "elevated_diaphragm": phrase(
        "膈", rf"{_DIAPHRAGM}{GAP}{{0,4}}?(?:位置(?:大致)?正常|{NOT_SEEN}(?:异常|抬高)|(?<!肋膈角)正常)"
    ),
    "degenerative_spine": phrase("椎柱", rf"{_SPINE}(?:骨质)?{NOT_SEEN}(?:异常|退变)"),
    "scoliosis": phrase("柱", r"脊柱(?:居中|无侧弯|未见(?:明显)?侧弯|走行(?:自然|正常)|生理曲度(?:存在|正常))"),
}
