"""CheXbert: a made-up checkpoint with the names and layout of the authors' one."""

import pytest
import torch
from transformers import BertConfig, BertModel

from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.language.chexbert import CheXbertLabeler

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "heart", "is", "enlarged", "no", "edema", "."]
HIDDEN = 64
NAMES = get_vocabulary("chexpert14").names


@pytest.fixture
def tokenizer(tmp_path):
    folder = tmp_path / "bert-base-uncased"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": true}', encoding="utf-8"
    )
    return folder


def state(*, favourite):
    """Weights whose heads always choose the given class: the class's bias is the largest."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=96,
        max_position_embeddings=512,
    )
    weights = {f"module.bert.{name}": value for name, value in BertModel(config).state_dict().items()}
    weights["module.bert.embeddings.position_ids"] = torch.arange(512)[None]
    for place, choice in enumerate(favourite):
        size = 2 if place == len(NAMES) - 1 else 4
        weights[f"module.linear_heads.{place}.weight"] = 1e-4 * torch.randn(size, HIDDEN)
        weights[f"module.linear_heads.{place}.bias"] = torch.nn.functional.one_hot(torch.tensor(choice), size).float()
    return weights


def save(path, content):
    torch.save(content, path)
    return path


FAVOURITE = [0, 1, 2, 3, 1, 0, 0, 2, 3, 1, 0, 0, 1, 1]


def test_the_heads_are_read_in_order(tmp_path, tokenizer):
    content = {"epoch": 3, "model_state_dict": state(favourite=FAVOURITE)}
    labeler = CheXbertLabeler(save(tmp_path / "chexbert.pth", content), tokenizer, batch_size=2)
    texts = ["Heart is\n enlarged.", "", "no edema . " * 300]
    for found in labeler.label_many(texts):
        stated = {name: mention.polarity for name, mention in found.items()}
        codes = (None, "positive", "negative", "uncertain")
        assert stated == {name: codes[code] for name, code in zip(NAMES, FAVOURITE, strict=True) if code}
    assert labeler.label("heart") == labeler.label_many(["heart"])[0]
    assert labeler.version.startswith("chexbert-")


def test_the_first_hidden_state_is_what_the_heads_see(tmp_path, tokenizer):
    weights = state(favourite=[0] * 14)
    for place in range(13):  # bias equal, so that the text decides
        weights[f"module.linear_heads.{place}.bias"] = torch.zeros(4)
        weights[f"module.linear_heads.{place}.weight"] = torch.randn(4, HIDDEN)
    labeler = CheXbertLabeler(save(tmp_path / "c.pth", {"model_state_dict": weights}), tokenizer)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=1, intermediate_size=96
    )
    model = BertModel(config).eval()
    model.load_state_dict(
        {
            name.removeprefix("module.bert."): v
            for name, v in weights.items()
            if "heads" not in name and "_ids" not in name
        }
    )
    ids = torch.tensor([[2, 5, 6, 7, 10, 3]])  # [CLS] heart is enlarged . [SEP]
    with torch.no_grad():
        first = model(ids).last_hidden_state[:, 0]
    codes = [int((weights[f"module.linear_heads.{place}.weight"] @ first[0]).argmax()) for place in range(13)]
    found = labeler.label("Heart   is enlarged.")
    polarities = ("unmentioned", "positive", "negative", "uncertain")
    assert [found[name].polarity if name in found else "unmentioned" for name in NAMES[:13]] == [
        polarities[code] for code in codes
    ]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "is not there"),
        ({"state": {}}, "model_state_dict"),
        ({"model_state_dict": {"module.bert.x": torch.zeros(1)}}, "CheXbert's weights"),
        ({"model_state_dict": state(favourite=FAVOURITE) | {"module.extra": torch.zeros(1)}}, "names or shapes"),
        ({"model_state_dict": state(favourite=FAVOURITE), "code": print}, "read safely"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path, tokenizer, content, match):
    path = tmp_path / "chexbert.pth"
    if content is not None:
        save(path, content)
    with pytest.raises(UserError, match=match):
        CheXbertLabeler(path, tokenizer)


def test_the_tokenizer_must_be_there(tmp_path):
    path = save(tmp_path / "c.pth", {"model_state_dict": state(favourite=FAVOURITE)})
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(UserError, match="tokenizer"):
            CheXbertLabeler(path, folder)
