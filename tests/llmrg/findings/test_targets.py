from __future__ import annotations

from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings, targets
from llmrg.findings.vocabulary import get_vocabulary


def test_vectors_follow_the_vocabulary() -> None:
    vocabulary = get_vocabulary("chexpert14")
    mentions = {
        "Pleural Effusion": Mention(finding="Pleural Effusion", polarity="positive", side="bilateral"),
        "Pneumothorax": Mention(finding="Pneumothorax", polarity="negative", side="left"),
        "Pneumonia": Mention(finding="Pneumonia", polarity="uncertain", side="right"),
        "Lung Lesion": Mention(finding="Lung Lesion", polarity="positive", side="left"),
        "Cardiomegaly": Mention(finding="Cardiomegaly", polarity="positive"),
    }
    result = targets(mentions, vocabulary)
    names = vocabulary.names

    def on(vector: tuple[int, ...]) -> set[str]:
        assert len(vector) == 14
        return {name for name, value in zip(names, vector, strict=True) if value}

    assert on(result.present) == {"Pleural Effusion", "Lung Lesion", "Cardiomegaly"}
    assert on(result.observed) == set(names) - {"Pneumonia"}
    assert on(result.left) == {"Pleural Effusion", "Lung Lesion"}
    assert on(result.right) == {"Pleural Effusion"}
    assert on(result.side_observed) == {"Pleural Effusion", "Lung Lesion"}


def test_normal_is_no_finding() -> None:
    mentions = {"No Finding": Mention(finding="No Finding", polarity="positive")}
    assert positive_findings(mentions, get_vocabulary("chexpert14")) == {}
