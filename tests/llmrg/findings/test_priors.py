"""Comparison with an earlier examination: hand-written (synthetic) sentences, and real reports."""

import csv

import pytest

from llmrg.errors import UserError
from llmrg.findings.priors import prior_in_comparison, prior_mentions

# The words that must be found, or "" where the sentence compares with nothing.
ENGLISH = [
    ("The heart size is unchanged.", "unchanged"),
    ("No new consolidation.", "new"),
    ("New left basilar opacity.", "New"),
    ("Compared to prior, the effusion has decreased.", "Compared to prior"),
    ("As compared to the prior radiograph, no relevant change.", "compared to the prior"),
    ("In comparison with the study of 11/4, there is little change.", "comparison with the study"),
    ("There has been interval increase in the right effusion.", "interval"),
    ("Right IJ catheter in unchanged position.", "unchanged"),
    ("No change.", "No change"),
    ("No significant interval change since the previous study.", "No significant interval change"),
    ("Sternotomy wires are again seen.", "again"),
    ("Redemonstrated is a calcified granuloma.", "Redemonstrated"),
    ("The pneumothorax is no longer seen.", "no longer"),
    ("Worsening bibasilar opacities.", "Worsening"),
    ("Improved aeration of the left base.", "Improved"),
    ("Cardiomegaly, similar to prior.", "similar to prior"),
    ("The nodule is larger than on the prior CT.", "larger than on the prior"),
    ("Previously noted nodule is not seen today.", "Previously noted"),
    ("The endotracheal tube has been removed.", "has been removed"),
    ("Persistent elevation of the right hemidiaphragm.", "Persistent"),
    ("Small residual effusion which has resolved in part.", "has resolved"),
    ("Stable cardiomediastinal silhouette.", "Stable"),
    ("The right effusion is slightly larger.", "slightly larger"),
    ("INTERVAL PLACEMENT OF A CHEST TUBE.", "INTERVAL"),
    ("Re-expansion of the left lung.", "Re-expansion"),
    ("Stable wedging of a vertebral body.", "Stable"),
    ("In the interim the effusion has developed on the right.", "in the interim"),
    ("The heart remains enlarged.", "remains"),
    ("Continued low lung volumes.", "Continued"),
    ("Comparison: chest radiograph dated 3/4/2015.", "Comparison: chest radiograph"),
    ("Large hiatal hernia as before.", "as before"),
    ("Opacity not visualized on prior.", "on prior"),
    ("Recommend follow-up of the new nodule in the right lobe.", None),
    ("The patient is hemodynamically stable.", ""),
    ("Newborn with respiratory distress.", ""),
    ("Degenerative changes of the spine, no acute change of the bones.", None),
    ("Mild degenerative change without fracture.", ""),
    ("Prior granulomatous disease.", ""),
    ("Status post prior median sternotomy.", ""),
    ("Evidence of previous rib fractures.", ""),
    ("No prior studies are available for comparison.", ""),
    ("Comparison: None.", ""),
    ("Comparison: None available. The lungs are clear.", ""),
    ("In the absence of prior films the age is uncertain.", ""),
    ("Recommend comparison with prior radiographs.", ""),
    ("Correlation with prior studies would be helpful.", ""),
    ("Follow-up radiograph in 6 weeks to ensure resolution.", ""),
    ("Short interval follow-up is recommended.", ""),
    ("If symptoms persist, consider CT.", ""),
    ("High resolution CT may help.", ""),
    ("This may represent resolving pneumonia.", ""),
    ("Effusions, right worse than left.", ""),
    ("The left lung is slightly smaller than the right.", ""),
    ("The left lung is small compared to the right.", ""),
    ("The remainder of the lungs is clear.", ""),
    ("Increased interstitial markings.", ""),
    ("Low lung volumes with decreased inspiration.", ""),
    ("Old healed rib fractures, chronic changes.", ""),
    ("New onset of chest pain.", ""),
    ("Periosteal new bone along the ribs.", ""),
    ("No evidence of prior examination for comparison.", ""),
    ("Unstable gait, rule out fracture.", ""),
    ("Fibrotic changes of the apices.", ""),
    ("Heart size is normal. Lungs are clear.", ""),
]
CHINESE = [
    ("右肺斑片影较前吸收。", "较前"),
    ("与前片比较，右侧胸腔积液增多。", "与前"),
    ("余同前。", "同前"),
    ("双肺病变未见明显变化。", "未见明显变化"),
    ("对比前次胸片，病灶缩小。", "对比前"),
    ("复查示左肺炎症部分吸收。", "复查"),
    ("右上肺新增片状影。", "新增"),
    ("未见新发病灶。", "新发"),
    ("左侧气胸已吸收。", "已吸收"),
    ("胃管已拔除。", "已拔除"),
    ("右侧胸腔积液较2021-03-05片减少。", "较2021-03-05"),
    ("与2020年3月1日胸片对比，心影无变化。", "与2020年3月1日"),
    ("病灶较上次略增大。", "较上次"),
    ("与旧片相仿。", "与旧片"),
    ("两肺病灶较前部分吸收。", "较前"),
    ("膈肌位置较前下降。", "较前"),
    ("左下肺仍可见片状影。", "仍"),
    ("肺部炎症好转。", "好转"),
    ("原右下肺片影消失。", None),
    ("较前胸片，右肺渗出增多。", "较前"),
    ("双肺较前相仿，无著变。", "较前"),
    ("心肺膈所见变化不大。", "变化不大"),
    ("新出现右侧少量胸腔积液。", "新出现"),
    ("双侧肺炎，与昨日片相比进展。", "与昨日"),
    ("右侧引流管位置同前。", "同前"),
    ("病灶大致稳定。", "稳定"),
    ("纵隔及心影稳定。", "稳定"),
    ("右肺病灶范围缩小，密度变淡。", "范围缩小"),
    ("右肺较前肋重叠处密度增高。", ""),
    ("右侧第4前肋骨折。", ""),
    ("术前胸片。", ""),
    ("新生儿湿肺。", ""),
    ("建议复查。", ""),
    ("建议治疗后复查。", ""),
    ("请与前片对比。", ""),
    ("建议结合旧片对比。", ""),
    ("无前片对比。", ""),
    ("无既往胸片可供比较。", ""),
    ("骨质未见明显改变。", ""),
    ("肺纹理增多、增粗。", ""),
    ("胸椎退行性变化。", ""),
    ("右侧肋骨骨质吸收破坏。", ""),
    ("两侧肺野对比，右肺透亮度减低。", ""),
    ("双肺前片状影。", ""),
    ("结节位于肺门前方，较前缘清楚。", ""),
    ("前后位胸片，双肺清晰。", ""),
    ("既往结核病史。", ""),
    ("必要时抗炎后复查，观察吸收情况。", ""),
    ("随访观察病灶变化。", ""),
    ("心影不大，双膈光滑。", ""),
    ("新鲜肋骨骨折。", ""),
    ("患儿病情稳定。", ""),
    ("咳嗽好转3天。", ""),
    ("右前上纵隔增宽。", ""),
    ("肺门钙化，与既往结核感染一致。", ""),
    ("与旧片比较可能有助于诊断。", ""),
    ("胸椎不稳定性骨折。", ""),
    ("左侧肋膈角基本消失。", ""),
    ("随诊，评估病变进展情况。", ""),
]


@pytest.mark.parametrize(("language", "text", "words"), [("en", *s) for s in ENGLISH] + [("zh", *s) for s in CHINESE])
def test_sentences(language, text, words):
    found = prior_mentions(text, language)
    for mention in found:
        assert text[mention.start : mention.end] == mention.words
    if words is None:  # borderline: either way is defensible, offsets must be right
        return
    if words:
        assert any(words.lower() in mention.words.lower() or mention.words in words for mention in found), found
    else:
        assert not found


def test_offsets_kinds_and_order():
    text = "Lungs clear.\nThe nodule is unchanged; compared with the prior study, a new effusion.  Stable heart"
    found = prior_mentions(text, "en")
    assert [(mention.kind, mention.words) for mention in found] == [
        ("unchanged", "unchanged"),
        ("comparison", "compared with the prior"),
        ("different", "new"),
        ("unchanged", "Stable"),
    ]
    assert [text[mention.start : mention.end] for mention in found] == [mention.words for mention in found]


def test_odd_texts():
    for text in ("", " \n", "\x00", "😀 stable", "较", "." * 2000):
        for language in ("zh", "en"):
            for mention in prior_mentions(text, language):
                assert text[mention.start : mention.end] == mention.words
    with pytest.raises(UserError, match="zh"):
        prior_mentions("", "de")


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (None, None),
        (" ", None),
        ("None.", False),
        ("None available.", False),
        ("No comparison chest radiograph.", False),
        ("无", False),
        ("N/A", False),
        ("Not available", False),
        ("Chest radiograph dated 3/4/2015.", True),
        ("XXXX, XXXX.", True),
        ("2019-03-01胸片", True),
        ("Portable chest from yesterday", True),
        ("Nondisplaced comparison view of 2011", True),
    ],
)
def test_comparison_section(section, expected):
    assert prior_in_comparison(section) is expected


def test_real_reports(test_data):
    """About a quarter of the Indiana reports compare; those whose comparison section names none rarely do."""
    with (test_data / "iu_xray/indiana_reports.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    mentions = [bool(prior_mentions(f"{row['findings']}\n{row['impression']}", "en")) for row in rows]
    prior = [prior_in_comparison(row["comparison"]) for row in rows]
    share = {
        value: sum(m for m, p in zip(mentions, prior, strict=True) if p is value) / prior.count(value)
        for value in (True, False)
    }
    assert 0.24 < sum(mentions) / len(rows) < 0.30
    assert share[True] > 0.4
    assert share[False] < 0.1
