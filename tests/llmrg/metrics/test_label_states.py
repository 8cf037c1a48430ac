"""Label rows of any form as states."""

import math

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.label_states import STATES, label_states

CHEXPERT = get_vocabulary("chexpert14")
EDEMA = CHEXPERT.names.index("Edema")


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (1, "positive"),
        (1.0, "positive"),
        (np.float32(1), "positive"),
        (np.int64(0), "negative"),
        (-1.0, "uncertain"),
        (None, "unmentioned"),
        (math.nan, "unmentioned"),
        (np.nan, "unmentioned"),
        (Mention(finding="Edema", polarity="uncertain"), "uncertain"),
        (Mention(finding="Edema", polarity="negative"), "negative"),
    ],
)
def test_values(value, state):
    row = label_states([{"Edema": value}, {}], CHEXPERT)
    assert STATES[row[0, EDEMA]] == state
    assert row.shape == (2, 14)
    assert not row[1].any()
    assert (np.delete(row[0], EDEMA) == 0).all()


def test_vectors_are_in_the_order_of_the_vocabulary():
    table = np.full((1, 14), np.nan)
    table[0, EDEMA] = 0
    assert label_states(table, CHEXPERT)[0, EDEMA] == STATES.index("negative")
    assert label_states([], CHEXPERT).shape == (0, 14)


@pytest.mark.parametrize("value", [2, "1", "yes", 0.5, True, np.bool_(True)])
def test_no_labels(value):
    with pytest.raises(UserError, match="row 0 is none of 1, 0, -1"):
        label_states([{"Edema": value}], CHEXPERT)


def test_errors_name_the_table():
    with pytest.raises(UserError, match="shipped labels, vocabulary chexpert14"):
        label_states([{"Oedema": 1}], CHEXPERT, name="shipped labels")
    with pytest.raises(UserError, match="13 values"):
        label_states([[None] * 13], CHEXPERT)
