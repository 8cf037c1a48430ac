"""The rule extractor: the guideline's worked examples, more sentences annotated by hand (synthetic), odd input."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.findings.graphs.extractor import get_extractor
from llmrg.findings.graphs.graph import ReportGraph

GUIDELINE = Path(__file__).parents[4] / "docs" / "graphs.md"

# Sentence, entities, edges: annotated from the guideline, not from the extractor's output.
MORE = [
    ("双肺透亮度减低，肺门影增浓。", "A双肺 O透亮度 P减低 A肺门影 P增浓", "减低>透亮度 透亮度@双肺 增浓@肺门影"),
    ("右肺上、下叶见结节影。", "A右肺上、下叶 P结节 O影", "结节>影 影@右肺上、下叶"),
    (
        "右肺上叶及左肺下叶见斑片影。",
        "A右肺上叶 A左肺下叶 P斑片 O影",
        "斑片>影 影@右肺上叶 影@左肺下叶",
    ),
    ("右肺不张，纵隔右移。", "A右肺 P不张 A纵隔 P右移", "不张@右肺 右移@纵隔"),
    ("心、肺、膈未见明显异常。", "A心 A肺 A膈 N未见 O异常", "未见>异常 异常@心 异常@肺 异常@膈"),
    (
        "心影大小、形态未见异常。",
        "A心影 O大小 O形态 N未见 O异常",
        "异常>大小 异常>形态 未见>异常 大小@心影 形态@心影",
    ),
    ("双肺纹理增粗，模糊。", "A双肺 O纹理 P增粗 P模糊", "增粗>纹理 模糊>纹理 纹理@双肺"),
    ("结节灶位于左肺上野。", "P结节 O灶 A左肺上野", "结节>灶 灶@左肺上野"),
    ("双侧气胸、胸腔积液均未见。", "A双侧 O气胸 A胸腔 O积液 N未见", "未见>气胸 未见>积液 气胸@双侧 积液@胸腔"),
    ("膈下可见游离气体。", "A膈下 O游离 P气体", "游离>气体 气体@膈下"),
    ("右侧肋膈角消失。", "A右侧肋膈角 P消失", "消失@右侧肋膈角"),
    ("双侧胸膜增厚、粘连，以左侧为著。", "A双侧胸膜 P增厚 P粘连 A左侧", "左侧>双侧胸膜 增厚@双侧胸膜 粘连@双侧胸膜"),
    (
        "左肺见结节影，密度均匀，边缘光整。",
        "A左肺 P结节 O影 O密度 N均匀 O边缘 N光整",
        "结节>影 影@左肺 均匀>密度 光整>边缘",
    ),
    ("胸廓对称，气管居中。", "A胸廓 N对称 A气管 N居中", "对称@胸廓 居中@气管"),
    ("纹理未见明显增多。", "O纹理 O增多 N未见", "增多>纹理 未见>增多"),
    ("右肺斑片影较前吸收好转。", "A右肺 P斑片 O影 O吸收好转", "斑片>影 吸收好转>影 影@右肺"),
    ("左侧第3、4肋骨骨折。", "A左侧第3、4肋骨 P骨折", "骨折@左侧第3、4肋骨"),
    ("两肺清晰，心影不大。", "A两肺 N清晰 A心影 N不大", "清晰@两肺 不大@心影"),
    ("双肺纹理稍多，未见斑片影。", "A双肺 O纹理 P稍多 N未见 O斑片 O影", "稍多>纹理 纹理@双肺 斑片>影 未见>影 影@双肺"),
    ("气管及纵隔向左侧移位。", "A气管 A纵隔 P向左侧移位", "向左侧移位@气管 向左侧移位@纵隔"),
    ("肺纹理走行正常。", "A肺 O纹理 O走行 N正常", "正常>纹理 正常>走行 纹理@肺 走行@肺"),
    ("Nodule that is not calcified.", "P Nodule N not O calcified", "calcified>Nodule; not>calcified"),
    ("Heart is large.", "A Heart P large", "large@Heart"),
    ("Enlarged heart.", "P Enlarged A heart", "Enlarged@heart"),
    ("Heart is normal in size.", "A Heart N normal O size", "normal>size; size@Heart"),
    (
        "Heart size and mediastinal contours are normal.",
        "A Heart O size A mediastinal contours N normal",
        "normal>size; size@Heart; normal@mediastinal contours",
    ),
    (
        "Small left effusion and opacity at the right base.",
        "O Small A left P effusion P opacity A right base",
        "Small>effusion; effusion@left; opacity@right base",
    ),
    ("Rib fracture on the left.", "A Rib P fracture A left", "fracture@Rib; left>Rib"),
    (
        "Nodule in the lower lobe of the right lung.",
        "P Nodule A lower lobe A right lung",
        "Nodule@lower lobe; right lung>lower lobe",
    ),
    (
        "The aorta is tortuous and calcified.",
        "A aorta P tortuous P calcified",
        "tortuous@aorta; calcified@aorta",
    ),
    (
        "Left pleural effusion has resolved.",
        "A Left pleural O effusion N resolved",
        "resolved>effusion; effusion@Left pleural",
    ),
    ("Pneumothorax is not seen.", "O Pneumothorax N not", "not>Pneumothorax"),
    ("The effusion is small.", "P effusion O small", "small>effusion"),
    ("In the left lung, a nodule is seen.", "A left lung P nodule", "nodule@left lung"),
    (
        "Right middle and lower lobe consolidation.",
        "A Right middle and lower lobe P consolidation",
        "consolidation@Right middle and lower lobe",
    ),
    ("Trachea is midline.", "A Trachea N midline", "midline@Trachea"),
]


def worked_examples() -> list[tuple[str, str, str]]:
    rows = []
    for line in GUIDELINE.read_text(encoding="utf-8").split("## 3.")[1].split("## 4.")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and re.search(r"\w[>@]\S", cells[2]):
            rows.append((cells[0], cells[1], cells[2]))
    return rows


def test_guideline_has_its_examples() -> None:
    assert len(worked_examples()) == 38


@pytest.mark.parametrize(("text", "entities", "edges"), [*worked_examples(), *MORE], ids=lambda words: str(words)[:24])
def test_graph(text: str, entities: str, edges: str, check_graph: Callable[[str, str, str], None]) -> None:
    check_graph(text, entities, edges)


PIECES = {
    "zh": "双肺 右侧 左肺上叶 心影 胸腔 肋膈角 纹理 影 斑片 结节 积液 气胸 增多 增大 清晰 未见 无 明显 少量 可能 "
    "吸收 消失 边缘 密度 以 为著 位于 、 ， 。 ； 及 的 见 0 3.5cm （ ） 𠮷 é 影影 第 第3 肺 上 区",
    "en": "left right lung lobe lower pleural effusion no not without clear normal enlarged heart size opacity patchy "
    "small in the of on and or , . ; : is was seen likely greater than resolved tube tip 3.5 cm 7th - -- / ( ) İ ﬁ",
}


@pytest.mark.parametrize("language", ["zh", "en"])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_words_give_a_graph(language: str, data: st.DataObject) -> None:
    glue = "" if language == "zh" else " "
    words = data.draw(st.lists(st.sampled_from([*PIECES[language].split(" "), "\n"]), max_size=24))
    assert_sound(glue.join(words), language)


@pytest.mark.parametrize("language", ["zh", "en"])
@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_gives_a_graph(language: str, text: str) -> None:
    assert_sound(text, language)


def assert_sound(text: str, language: str) -> None:
    graph = get_extractor(language).extract(text)
    graph.check(text)
    assert ReportGraph.from_mapping(graph.to_mapping(), text=text) == graph
    spans = [(entity.start, entity.end) for entity in graph.entities]
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    for place in range(len(graph.entities)):
        if graph.entities[place].kind == "NO":
            assert linked_to_a_decision(graph, place), (text, graph)


def linked_to_a_decision(graph: ReportGraph, start: int) -> bool:
    seen, queue = {start}, [start]
    while queue:
        node = queue.pop()
        if graph.entities[node].kind in ("DPO", "DNO"):
            return True
        for edge in graph.relations:
            if edge.kind == "modify" and node in (edge.source, edge.target):
                other = edge.target if edge.source == node else edge.source
                if other not in seen:
                    seen.add(other)
                    queue.append(other)
    return False


def test_offsets_count_the_text_as_it_is() -> None:
    text = "1. 双肺纹理增多；\r\n２、 左侧胸腔积液\u3000少量。\n\nNo effusion"
    graph = get_extractor("zh").extract(text)
    graph.check(text)
    assert {"双肺", "左侧胸腔", "积液"} <= {entity.text for entity in graph.entities}


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "。。。", "123", "\x00", "🫁", "，" * 2000, "影" * 3000, "no " * 2000]
)
def test_odd_texts(text: str) -> None:
    for language in ("zh", "en"):
        get_extractor(language).extract(text).check(text)


def test_unknown_language() -> None:
    with pytest.raises(UserError):
        get_extractor("de")
