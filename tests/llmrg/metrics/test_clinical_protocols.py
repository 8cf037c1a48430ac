"""Protocols by name."""

import pytest

from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.clinical_protocols import AVERAGES, PROTOCOLS, class_subsets, default_headline, find_cell, grid_cells


def test_the_names_of_the_literature():
    assert set(PROTOCOLS) >= {"r2gen", "micro14-pos", "wcl", "rrg", "example", "example1"}
    assert [PROTOCOLS[name].uncertain for name in ("r2gen", "wcl", "rrg", "example")] == [
        "negative",
        "positive",
        "positive",
        "negative",
    ]
    for protocol in PROTOCOLS.values():
        assert set(protocol.averages) <= set(AVERAGES)
        assert protocol.source


def test_the_five_classes():
    """Places 1, 4, 5, 7 and 9 of the published label files, as f1chexbert takes them."""
    subsets = class_subsets(get_vocabulary("chexpert14"))
    assert sorted(subsets["5"]) == [1, 4, 5, 7, 9]
    assert subsets["14"] == tuple(range(14))
    assert class_subsets(get_vocabulary("ped_xray")) == {"all": tuple(range(12))}


def test_every_vocabulary_has_its_headline():
    for name in ("chexpert14", "ped_xray", "radiograph"):
        vocabulary = get_vocabulary(name)
        cell = find_cell(default_headline(vocabulary), vocabulary)
        assert cell in grid_cells(vocabulary)
    with pytest.raises(UserError, match="micro14-pos/14/micro"):
        find_cell("micro14/14/micro", get_vocabulary("chexpert14"))
