"""Chinese words of the keywords."""

from __future__ import annotations

from llmrg.findings.graphs._keyword_rules import KeywordRules

__all__ = ["CHINESE_RULES"]

CHINESE_RULES = KeywordRules(
    places=(
        ("Costophrenic angle", r"肋膈[角窦]"),
        ("Hilum", r"肺门"),
        ("Pulmonary artery", r"肺动脉"),
        ("Aortic knot", r"主动脉[结球]"),
        ("Aortic arch", r"主动脉弓"),
        ("Mediastinum", r"主肺动脉窗|主肺窗|纵[隔膈]|胸腺"),
        ("Aorta", r"主动脉"),
        ("Diaphragm", r"心膈角"),
        ("Diaphragmatic", r"膈肌?面|横膈面|隔面"),
        ("Diaphragm", r"膈(?!胸膜)|横隔"),
        ("Horizontal split", r"水平裂|水平叶间|横裂"),
        ("Fissures", r"叶间(?:裂|胸膜)?|斜裂"),
        ("Pleura", r"胸膜|胸腔"),
        ("Vertebrae", r"[胸腰颈]+段(?=脊柱|椎)|[胸腰颈]*椎|脊柱|脊椎|胸腰段|棘突|附件"),
        ("Rib", r"肋(?!膈)"),
        ("Heart", r"心(?:胸比[例率]?|胸廓)?"),
        ("Chest", r"骨性胸廓|胸廓"),
        ("Bone", r"锁骨|肩胛骨|肩关节|肱骨|胸骨|骨"),
        ("Vessels", r"静脉|血管|肺血|冠状动脉"),
        ("Bronchi", r"支气管"),
        ("Trachea", r"气管|隆[突嵴]|气道|声门"),
        ("Chest", r"胸壁|胸部|胸|皮下|软组织|腋|乳"),
        ("Heart", r"[左右](?:室|房)"),
        ("Neck", r"颈|甲状腺|喉|咽"),
        ("Bowel", r"结?肠(?!营养)"),
        ("Belly", r"腹|胃|肝|脾|胆|肾|食[管道]|幽门|贲门"),
        ("Lung", r"肺"),
        ("?Lung", r"[叶野段]|小叶间隔"),
    ),
    lesions_in_order=(
        (r"(?:置[换入管]|植入|瓣)术后", ("Postoperative", "Insert"), "Chest", False),
        (r"液[体性]密度|水样密度", ("Effusion",), "Pleura", True),
        (r"无肺纹理", ("No lung texture",), "Pleura", True),
        (r"气管(?:内|切开)?(?:插管|导管|套管|置管)|气管切开", ("Intubation",), "Trachea", True),
        (r"引流|胸管|胸腔置管", ("Drainage",), "Pleura", True),
        (r"胃管|鼻[胃饲肠]|营养管|造瘘|分流", ("Insert",), "Belly", True),
        (r"起搏|除颤|瓣膜?|封堵|电极|心电|弹簧圈|球囊", ("Insert",), "Heart", True),
        (r"内固定|钢[板丝钉]|螺钉|胸骨", ("Insert",), "Bone", False),
        (r"插管", ("Intubation",), "Vessels", False),
        (r"静脉|picc|cvc|导管|置管|留置管|套管|输液港|导丝", ("Insert",), "Vessels", True),
        (r"支架|金属|缝线|钛夹|置入|植入|置换|异物|假体|支持装置", ("Insert",), "", False),
        (r"术后", ("Postoperative",), "Chest", False),
        (r"^肺(?:水肿|淤血|瘀血|充血|实变|纤维化|出血|挫伤)", ("Shadow",), "Lung", True),
        (r"^肺.*(?:不张|膨胀不)", ("Atelectasis",), "Lung", True),
        (r"胸膜炎", ("Flame",), "Pleura", True),
        (r"心包炎", ("Flame",), "Heart", True),
        (r"支气管炎|气管炎", ("Flame",), "Bronchi", True),
        (r"炎|感染|结核|脓肿", ("Flame",), "Lung", False),
        (r"液气|气液|液平|血气胸|水气胸", ("Gas", "Effusion"), "Pleura", True),
        (r"气胸", ("Gas",), "Pleura", True),
        (r"积液|积血|积水|积脓|胸水|血胸|脓胸|液体|液性(?!密度)", ("Effusion",), "Pleura", True),
        (r"腹水", ("Effusion",), "Belly", True),
        (r"积气|胀气", ("Gas",), "", False),
        (r"气体(?!密度)|空气(?!支)|气影", ("Gas",), "", False),
        (r"骨折|骨裂|断裂|中断|不连续|错位|成角", ("Fracture",), "Bone", False),
        (r"肺气肿", ("Emphysema",), "Lung", True),
        (r"气肿", ("Emphysema",), "", False),
        (r"不张|膨胀不|萎陷", ("Atelectasis",), "Lung", False),
        (r"钙化", ("Calcification",), "Lung", False),
        (r"侧[弯凸]", ("Side bend",), "Vertebrae", False),
        (
            (
                r"畸形|变形|变扁|变尖|退行|退变|骨赘|骨桥|塌陷|凹陷|受压|压缩|压迫|增生|低平|平坦"
                r"|变平|平直|桶状|鸡胸|漏斗胸|扁平胸|成角"
            ),
            ("Deformed",),
            "",
            False,
        ),
        (r"支气管扩张|支扩", ("Deformed",), "Bronchi", True),
        (r"迂曲|扭曲|弯曲", ("Torque",), "", False),
        (r"消失|闭塞|填塞", ("Disappeared",), "", False),
        (
            r"移位|偏移|[左右上下前后]移|[左右]偏|偏[左右位]|抬高|升高|上[抬提升]|推移|推压|受推|牵拉|脱位|疝",
            ("Shift",),
            "",
            False,
        ),
        (r"膈膨升", ("Shift",), "Diaphragm", True),
        (r"纹理|血管束|支气管束", ("Texture",), "Lung", False),
        (r"透[亮光过]度|大[泡疱]|过度充气|充气过度|透亮|透光", ("Transparency",), "Lung", False),
        (
            (
                r"密度|实变|结节|肿块|团块|磨玻璃|毛玻璃|片|斑|条索|索条|网|絮|云|渗出|浸润|固结|占位"
                r"|肿物|肿瘤|转移|癌|空洞|空腔|粟粒|纤维|增殖|硬结|瘢痕"
                r"|水肿|淤血|瘀血|充血|出血|挫伤|充气征|气象|气相|间质|蜂窝|囊肿|尘肺|矽肺|间隔线"
                r"|克氏线|白肺|致密|密实|包块|巨噬|影|灶|区|点|圆(?!隆)|条|线|环|团|块|状$"
            ),
            ("Shadow",),
            "Lung",
            False,
        ),
        (
            r"心力衰竭|心衰|心功能|心脏病|心肌病|冠心病|高心病|风心病|先心病|右位心|肺心病",
            ("Prominence",),
            "Heart",
            True,
        ),
        (r"淋巴结", ("Prominence",), "Mediastinum", False),
        (
            (
                r"增大|扩大|扩张|增宽|变宽|加宽|突出|凸出|隆|膨|饱满|丰满|圆隆|延长|延伸|肿大|略大"
                r"|稍大|偏大|稍宽|略宽|偏宽|普大|靴|梨|主动脉型|二尖瓣型|动脉瘤|瘤样|肿胀"
            ),
            ("Prominence",),
            "",
            False,
        ),
        (
            r"增多|增粗|增重|增强|增浓|增深|增加|增高|粗乱|粗重|粗多|粗大|增厚|肥厚|变厚|粘连|稍增|浓密|增密|聚拢|密集",
            ("Enhanced",),
            "",
            False,
        ),
        (r"减低|降低|减弱|减少|减小|下降|变小|缩小|变窄|狭窄|稀疏|变薄|疏松", ("Weaken",), "", False),
        (r"模糊|不清|欠清|毛糙|粗糙|变钝|圆钝|钝|浅|不锐|欠锐|遮盖|遮挡|不光|欠光", ("Blur",), "", False),
        (r"破坏", ("Weaken",), "Bone", False),
    ),
    sides=(("bilateral", r"[双两]|左右|左、右"), ("left", r"左"), ("right", r"右")),
)
