"""Tiny made-up checkpoints, each laid out as the published ones of a family of language models are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

WORDS = (
    "双肺纹理增多，心影不大。左侧胸腔积液，右肺清晰。",
    "The heart is enlarged. No pleural effusion is seen.",
    "Human: Films: Clinical context: Write the findings of this chest X-ray. Assistant: [INST] user system",
)
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))


@dataclass(frozen=True, kw_only=True)
class Family:
    """What is special in the checkpoints of a family.

    Args:
        model_type: of transformers.
        kind: ``bytes`` (byte-level BPE, special tokens after the words) or ``pieces`` (as SentencePiece: special
            tokens first, then bytes, spaces written as ``▁``).
        special: special tokens, in the order of their ids.
        extra: added tokens that are no special ones.
        eos: end-of-text of the tokenizer.
        bos: its start, if it has one.
        pad: its padding, if it has one.
        prefix: what the tokenizer puts before each text.
        dummy: whether a text gets a space in front (``pieces`` only).
        stops: every end-of-text of generation_config.json.
        turn_end: what closes an answer in the chat template (by default ``eos``).
        template: of chats, None for a base model.
        tokenizer_class: as tokenizer_config.json names it.
        architecture: keys of config.json, beside the common tiny ones.
    """

    model_type: str
    kind: str = "bytes"
    special: tuple[str, ...]
    extra: tuple[str, ...] = ()
    eos: str
    bos: str | None = None
    pad: str | None = None
    prefix: tuple[str, ...] = ()
    dummy: bool = False
    stops: tuple[str, ...]
    turn_end: str | None = None
    template: str | None = None
    tokenizer_class: str = "PreTrainedTokenizerFast"
    architecture: Mapping[str, Any] = field(default_factory=dict)


CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKING = CHATML.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}",
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content.strip() }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content.strip() }} {{ eos_token }}"
    "{% else %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)
HEADERS = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nToday: "
    "{{ strftime_now('%d %b %Y %H:%M:%S.%f') }}<|eot_id|>{% for m in messages %}"
    "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GLM = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
DEEPSEEK = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}User: {{ m.content }}\n\n"
    "{% elif m.role == 'assistant' %}Assistant: {{ m.content }}{{ eos_token }}{% else %}{{ m.content }}\n\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
TURNS = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SLIDING = {"sliding_window": 6, "use_cache": True}

FAMILIES: dict[str, Family] = {
    "llama2": Family(
        model_type="llama",
        kind="pieces",
        special=("<unk>", "<s>", "</s>"),
        bos="<s>",
        eos="</s>",
        prefix=("<s>",),
        dummy=True,
        stops=("</s>",),
        template=INST,
        tokenizer_class="LlamaTokenizer",
        architecture={"num_key_value_heads": 4},
    ),
    "llama3": Family(
        model_type="llama",
        special=(
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|reserved_special_token_0|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eom_id|>",
            "<|eot_id|>",
        ),
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        prefix=("<|begin_of_text|>",),
        stops=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
        template=HEADERS,
        architecture={
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
    "qwen2": Family(
        model_type="qwen2",
        special=QWEN,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        stops=("<|im_end|>", "<|endoftext|>"),
        template=CHATML,
        tokenizer_class="Qwen2Tokenizer",
        architecture={"tie_word_embeddings": True},
    ),
    "qwen2-base": Family(
        model_type="qwen2",
        special=QWEN,
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        stops=("<|endoftext|>",),
        tokenizer_class="Qwen2Tokenizer",
    ),
    "qwen3": Family(
        model_type="qwen3",
        special=QWEN,
        extra=("<think>", "</think>"),
        eos="<|im_end|>",
        pad="<|endoftext|>",
        stops=("<|im_end|>", "<|endoftext|>"),
        template=THINKING,
        tokenizer_class="Qwen2Tokenizer",
        architecture={"tie_word_embeddings": True},
    ),
    "glm4": Family(
        model_type="glm",
        special=("<|endoftext|>", "[MASK]", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|obs|>"),
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        prefix=("[gMASK]", "<sop>"),
        stops=("<|endoftext|>", "<|user|>", "<|obs|>"),
        template=GLM,
        architecture={"attention_bias": True},
    ),
    "glm4-0414": Family(
        model_type="glm4",
        special=("<|endoftext|>", "[MASK]", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|obs|>"),
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        prefix=("[gMASK]", "<sop>"),
        stops=("<|endoftext|>", "<|user|>", "<|obs|>"),
        template=GLM,
    ),
    "yi": Family(
        model_type="llama",
        kind="pieces",
        special=("<unk>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        bos="<|startoftext|>",
        eos="<|im_end|>",
        pad="<unk>",
        stops=("<|im_end|>",),
        template=CHATML,
        tokenizer_class="LlamaTokenizer",
    ),
    "deepseek": Family(
        model_type="llama",
        special=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜end▁of▁sentence｜>",
        pad="<｜end▁of▁sentence｜>",
        prefix=("<｜begin▁of▁sentence｜>",),
        stops=("<｜end▁of▁sentence｜>",),
        template=DEEPSEEK,
        tokenizer_class="LlamaTokenizerFast",
    ),
    "mistral": Family(
        model_type="mistral",
        kind="pieces",
        special=("<unk>", "<s>", "</s>"),
        bos="<s>",
        eos="</s>",
        prefix=("<s>",),
        dummy=True,
        stops=("</s>",),
        template=INST,
        tokenizer_class="LlamaTokenizer",
        architecture=SLIDING,
    ),
    "gemma2": Family(
        model_type="gemma2",
        kind="pieces",
        special=("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
        bos="<bos>",
        eos="<eos>",
        pad="<pad>",
        prefix=("<bos>",),
        stops=("<eos>", "<end_of_turn>"),
        turn_end="<end_of_turn>",
        template=TURNS,
        tokenizer_class="GemmaTokenizer",
        architecture={**SLIDING, "tie_word_embeddings": True, "query_pre_attn_scalar": 8},
    ),
    "gemma3": Family(
        model_type="gemma3_text",
        kind="pieces",
        special=("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
        bos="<bos>",
        eos="<eos>",
        pad="<pad>",
        prefix=("<bos>",),
        stops=("<eos>", "<end_of_turn>"),
        turn_end="<end_of_turn>",
        template=TURNS,
        tokenizer_class="GemmaTokenizer",
        architecture={**SLIDING, "tie_word_embeddings": True, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "internlm3": Family(
        model_type="internlm3",
        kind="pieces",
        special=("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"),
        bos="<s>",
        eos="</s>",
        pad="</s>",
        prefix=("<s>",),
        stops=("</s>", "<|im_end|>"),
        turn_end="<|im_end|>",
        template="{{ bos_token }}" + CHATML,
    ),
    "phi3": Family(
        model_type="phi3",
        kind="pieces",
        special=("<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
        bos="<s>",
        eos="<|endoftext|>",
        pad="<|endoftext|>",
        stops=("<|endoftext|>", "<|assistant|>", "<|end|>"),
        turn_end="<|end|>",
        template=PHI,
        architecture=SLIDING,
    ),
    "gpt2": Family(
        model_type="gpt2",
        special=("<|endoftext|>",),
        bos="<|endoftext|>",
        eos="<|endoftext|>",
        stops=("<|endoftext|>",),
        tokenizer_class="GPT2Tokenizer",
        architecture={"tie_word_embeddings": True, "attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0},
    ),
}


@dataclass(frozen=True, kw_only=True)
class FamilyCheckpoint:
    """A tiny checkpoint, and what is special in it."""

    name: str
    path: Path
    family: Family

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """Ids of special tokens, read from tokenizer.json itself."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.path / "tokenizer.json"))
        return [tokenizer.token_to_id(token) for token in tokens]


@pytest.fixture(scope="session")
def family_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FamilyCheckpoint]:
    """Return the tiny checkpoint of a family by its name in ``FAMILIES``; each is made once and never changed."""
    made: dict[str, FamilyCheckpoint] = {}

    def make(name: str) -> FamilyCheckpoint:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            _write_checkpoint(name, FAMILIES[name], folder)
            made[name] = FamilyCheckpoint(name=name, path=folder, family=FAMILIES[name])
        return made[name]

    return make


@pytest.fixture(scope="module")
def own_random_state() -> Iterator[None]:
    """Give a file's tests a random state of their own, so that the files after it meet the one they met before."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take a ``family`` and say nothing else of it for every family."""
    marked = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "family_name" in metafunc.fixturenames and not any("family_name" in names for names in marked):
        metafunc.parametrize("family_name", sorted(FAMILIES), scope="module")


def _write_checkpoint(name: str, family: Family, folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    size = _write_tokenizer(family, folder)
    ids = FamilyCheckpoint(name=name, path=folder, family=family).ids
    values: dict[str, Any] = {
        "vocab_size": size + 3,  # published tables are longer than their tokenizers' vocabularies
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "tie_word_embeddings": False,
        "initializer_range": 0.3,  # far from uniform, so that greedy choices have no near ties
        "bos_token_id": ids([family.bos])[0] if family.bos else None,
        "eos_token_id": ids([family.eos])[0],
        "pad_token_id": ids([family.pad])[0] if family.pad else None,
        **family.architecture,
    }
    with torch.random.fork_rng():
        torch.manual_seed(sum(map(ord, name)))
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family.model_type, **values))
    model.generation_config.eos_token_id = ids(family.stops)
    model.save_pretrained(folder)


def _write_tokenizer(family: Family, folder: Path) -> int:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    pieces = family.kind == "pieces"
    words, merges = _learn_words(pieces)
    listed = [*family.special, *BYTES, *words] if pieces else [*words]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(listed))}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>" if pieces else None, fuse_unk=pieces, byte_fallback=pieces)
    )
    if pieces:
        spaces = normalizers.Replace(" ", "▁")
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if family.dummy else spaces
        strip = [decoders.Strip(content=" ", left=1)] if family.dummy else []
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in family.special])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in family.extra])
    if family.prefix:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join([*family.prefix, "$A"]),
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in family.prefix],
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": family.tokenizer_class,
        "bos_token": family.bos,
        "eos_token": family.eos,
        "pad_token": family.pad,
        "unk_token": "<unk>" if pieces else None,
        "chat_template": family.template,
        "clean_up_tokenization_spaces": False,
    }
    if family.bos is not None:
        settings["add_bos_token"] = bool(family.prefix)
    if not family.dummy and family.tokenizer_class == "LlamaTokenizer":
        settings["add_prefix_space"] = False
    (folder / "tokenizer_config.json").write_text(
        json.dumps({key: value for key, value in settings.items() if value is not None}), encoding="utf-8"
    )
    return int(tokenizer.get_vocab_size())


def _learn_words(pieces: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Words and merges of a small BPE; of a byte-level one, "!" is the first."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    alphabet = []
    if pieces:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, max_token_length=12, show_progress=False)
    tokenizer.train_from_iterator(WORDS * 3, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [(m.split(" ")[0], m.split(" ")[1]) if isinstance(m, str) else (m[0], m[1]) for m in model["merges"]]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), merges
