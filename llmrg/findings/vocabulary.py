"""Vocabularies of findings: the list a dataset is trained and scored on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from llmrg.errors import UserError
from llmrg.findings.graphs.keyword_names import ANATOMY_KEYWORDS, LESION_KEYWORDS, UNSIDED_KEYWORDS

__all__ = ["Finding", "FindingVocabulary", "get_vocabulary", "vocabulary_names"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An entry of a vocabulary.

    Args:
        name: its name in tables and label files (``Pleural Effusion`` in chexpert14, ``pleural_effusion`` elsewhere).
        observation: the observation that labelers and phantoms know it by (``pleural_effusion``).
        en: English display name.
        zh: Chinese display name.
        sided: whether left and right are told apart.
        normal: whether it states that nothing is wrong (``No Finding``); never counted as a finding in scores.
    """

    name: str
    observation: str
    en: str
    zh: str
    sided: bool
    normal: bool = False


@dataclass(frozen=True, kw_only=True)
class FindingVocabulary:
    """An ordered list of findings with a name.

    Args:
        name: the name configurations use.
        findings: its entries, in the order of label vectors.
    """

    name: str
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all entries, in order."""
        return tuple(finding.name for finding in self.findings)

    @property
    def abnormal(self) -> tuple[Finding, ...]:
        """The entries that count as findings (all but ``No Finding``)."""
        return tuple(finding for finding in self.findings if not finding.normal)

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise UserError(f"Unknown finding {name!r}", where=f"vocabulary {self.name}", allowed=self.names, got=name)


# (observation, English, Chinese, sided, CheXpert-14 name or None); the order is that of the ``radiograph`` vocabulary.
_OBSERVATIONS: tuple[tuple[str, str, str, bool, str | None], ...] = (
    ("increased_lung_markings", "increased lung markings", "肺纹理增多", False, None),
    ("patchy_opacity", "lung opacity", "斑片影", True, "Lung Opacity"),
    ("consolidation", "consolidation", "实变", True, "Consolidation"),
    ("nodule", "nodule", "结节", True, "Lung Lesion"),
    ("atelectasis", "atelectasis", "肺不张", True, "Atelectasis"),
    ("edema", "pulmonary edema", "肺水肿", False, "Edema"),
    ("pneumothorax", "pneumothorax", "气胸", True, "Pneumothorax"),
    ("pleural_effusion", "pleural effusion", "胸腔积液", True, "Pleural Effusion"),
    ("pleural_thickening", "pleural thickening", "胸膜增厚", True, "Pleural Other"),
    ("cardiomegaly", "cardiomegaly", "心影增大", False, "Cardiomegaly"),
    ("rib_fracture", "rib fracture", "肋骨骨折", True, "Fracture"),
    ("support_device", "tube or catheter", "置管", False, "Support Devices"),
)

_CHEXPERT_ONLY: tuple[tuple[str, str, str, bool], ...] = (
    ("enlarged_mediastinum", "enlarged cardiomediastinum", "纵隔增宽", False),
    ("pneumonia", "pneumonia", "肺炎", True),
)

# What radiographs show beyond the classes above; their entries stand behind them in the ``radiograph`` vocabulary.
_WIDER: tuple[tuple[str, str, str, bool], ...] = (
    ("emphysema", "emphysema", "肺气肿", True),
    ("hyperinflation", "hyperinflation", "肺过度充气", False),
    ("low_lung_volume", "low lung volume", "肺容积减小", True),
    ("calcification", "calcified lung lesion", "肺钙化灶", True),
    ("scarring", "fibrosis or scarring", "纤维灶", True),
    ("interstitial_changes", "interstitial changes", "间质性改变", False),
    ("cavity", "cavity", "空洞", True),
    ("bronchitis", "bronchitis or bronchiolitis", "支气管炎", False),
    ("bronchiectasis", "bronchiectasis", "支气管扩张", True),
    ("tuberculosis", "tuberculosis", "肺结核", True),
    ("hilar_enlargement", "hilar enlargement", "肺门增大", True),
    ("pneumomediastinum", "pneumomediastinum", "纵隔气肿", False),
    ("subcutaneous_emphysema", "subcutaneous emphysema", "皮下气肿", True),
    ("free_air", "free air under the diaphragm", "膈下游离气体", True),
    ("mediastinal_shift", "mediastinal or tracheal shift", "纵隔移位", True),
    ("aortic_change", "tortuous, widened or calcified aorta", "主动脉改变", False),
    ("elevated_diaphragm", "elevated hemidiaphragm", "膈肌抬高", True),
    ("hernia", "hernia", "膈疝", False),
    ("scoliosis", "scoliosis", "脊柱侧弯", False),
    ("degenerative_spine", "degenerative change of the spine", "脊柱退行性变", False),
    ("postoperative", "postoperative change", "术后改变", False),
    ("foreign_body", "foreign body", "异物", False),
)

# Order of the published label files (CheXbert; see Irvin et al. 2019, CheXpert).
_CHEXPERT_ORDER: tuple[tuple[str, str], ...] = (
    ("Enlarged Cardiomediastinum", "enlarged_mediastinum"),
    ("Cardiomegaly", "cardiomegaly"),
    ("Lung Opacity", "patchy_opacity"),
    ("Lung Lesion", "nodule"),
    ("Edema", "edema"),
    ("Consolidation", "consolidation"),
    ("Pneumonia", "pneumonia"),
    ("Atelectasis", "atelectasis"),
    ("Pneumothorax", "pneumothorax"),
    ("Pleural Effusion", "pleural_effusion"),
    ("Pleural Other", "pleural_thickening"),
    ("Fracture", "rib_fracture"),
    ("Support Devices", "support_device"),
)


def vocabulary_names() -> tuple[str, ...]:
    """Names that :func:`get_vocabulary` knows."""
    return ("ped_xray", "chexpert14", "radiograph", "cn48")


@cache
def get_vocabulary(name: str) -> FindingVocabulary:
    """Return a vocabulary by name.

    ``ped_xray``: the observations that paediatric Chinese reports state. ``chexpert14``: the 14 CheXpert classes in
    the order of the published label files. ``radiograph``: all that the labelers read, both of these and more.
    ``cn48``: the anatomy and lesion keywords of CN-X2RG, which are read from report graphs.

    Raises:
        UserError: the name is unknown.
    """
    if name == "ped_xray":
        return FindingVocabulary(
            name=name,
            findings=tuple(
                Finding(name=observation, observation=observation, en=en, zh=zh, sided=sided)
                for observation, en, zh, sided, _ in _OBSERVATIONS
            ),
        )
    if name == "radiograph":
        sided = ((observation, en, zh, sided) for observation, en, zh, sided, _ in _OBSERVATIONS)
        return FindingVocabulary(
            name=name,
            findings=tuple(
                Finding(name=observation, observation=observation, en=en, zh=zh, sided=sided)
                for observation, en, zh, sided in (*sided, *_CHEXPERT_ONLY, *_WIDER)
            ),
        )
    if name == "cn48":
        return FindingVocabulary(
            name=name,
            findings=tuple(
                Finding(
                    name=keyword,
                    observation=f"cn_{keyword.lower().replace(' ', '_')}",
                    en=keyword.lower(),
                    zh=zh,
                    sided=keyword not in UNSIDED_KEYWORDS,
                )
                for keyword, zh in (ANATOMY_KEYWORDS | LESION_KEYWORDS).items()
            ),
        )
    if name == "chexpert14":
        known = {observation: (en, zh, sided) for observation, en, zh, sided, _ in _OBSERVATIONS}
        known.update({observation: (en, zh, sided) for observation, en, zh, sided in _CHEXPERT_ONLY})
        entries = [
            Finding(
                name=label,
                observation=observation,
                en=known[observation][0],
                zh=known[observation][1],
                sided=known[observation][2],
            )
            for label, observation in _CHEXPERT_ORDER
        ]
        entries.append(
            Finding(
                name="No Finding", observation="no_finding", en="no finding", zh="未见异常", sided=False, normal=True
            )
        )
        return FindingVocabulary(name=name, findings=tuple(entries))
    raise UserError(f"Unknown finding vocabulary {name!r}", allowed=vocabulary_names(), got=name)
