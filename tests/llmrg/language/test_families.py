"""Language models of every family, as tiny checkpoints laid out as the published ones are (tests/llmrg/conftest.py)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from llmrg.errors import UserError
from llmrg.language.assembly import PromptAssembler
from llmrg.language.chat_template import chat_frame
from llmrg.language.llm import IGNORED, LanguageModel
from llmrg.language.prompt import PromptConfig, Segment, default_prompt
from llmrg.language.settings import DecodingConfig, LanguageModelConfig
from llmrg.language.token_space import TokenSpace, encode_ordinary

REPORTS = ("The heart is enlarged!", "双肺纹理增多，心影不大。", "No.")
CHATML = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
HEADERS = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nToday: 26 Jul 2024 00:00:00.000000<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
)
GLM = "[gMASK]<sop><|user|>\n{}<|assistant|>\n"
TURNS = "<bos><start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n"
WRITTEN = {
    "llama2": "<s>[INST] {} [/INST]",
    "llama3": HEADERS,
    "qwen2": CHATML,
    "qwen3": CHATML + "<think>\n\n</think>\n\n",
    "glm4": GLM,
    "glm4-0414": GLM,
    "yi": CHATML,
    "deepseek": "<｜begin▁of▁sentence｜>User: {}\n\nAssistant:",
    "mistral": "<s>[INST] {} [/INST]",
    "gemma2": TURNS,
    "gemma3": TURNS,
    "internlm3": "<s>" + CHATML,
    "phi3": "<|user|>\n{}<|end|>\n<|assistant|>\n",
}
ENDS = {"glm4": "<|user|>", "glm4-0414": "<|user|>", "gemma2": "<end_of_turn>", "gemma3": "<end_of_turn>"} | {
    "internlm3": "<|im_end|>",
    "phi3": "<|end|>",
}
ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
LAYERS = {
    "glm4": ATTENTION | {"gate_up_proj", "down_proj"},
    "glm4-0414": ATTENTION | {"gate_up_proj", "down_proj"},
    "phi3": {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"},
    "gpt2": {"c_attn", "c_proj", "c_fc"},
}
ASK = PromptConfig(segments=(Segment(text="{instruction}"),), template="auto", instruction="Write the findings")

pytestmark = pytest.mark.usefixtures("own_random_state")


@pytest.fixture(scope="module")
def checkpoint(family_checkpoint: Callable[[str], Any], family_name: str) -> Any:
    return family_checkpoint(family_name)


@pytest.fixture(scope="module")
def model(checkpoint: Any) -> LanguageModel:
    """With adapters that matter; no test changes it."""
    made = LanguageModel(LanguageModelConfig(path=str(checkpoint.path), lora_rank=2)).eval()
    stream = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=stream) * 0.1)
    return made


@pytest.fixture(scope="module")
def raw(checkpoint: Any) -> Tokenizer:
    """The tokenizer as its own file has it, read without transformers."""
    return Tokenizer.from_file(str(checkpoint.path / "tokenizer.json"))


def prompt_ids(model: LanguageModel, prompt: PromptConfig) -> list[int]:
    """Ids of a prompt of words, looked up from its vectors."""
    x = PromptAssembler(model, prompt).assemble({}, [{"context": ""}])
    table = model.embed(torch.arange(len(model.tokenizer)))
    return torch.cdist(x.inputs_embeds[0], table).argmin(dim=1).tolist()


def test_the_prompt_is_what_the_family_writes(model: LanguageModel, checkpoint: Any, raw: Tokenizer) -> None:
    ids = prompt_ids(model, ASK)
    template = WRITTEN.get(checkpoint.name)
    assert (template is None) == (checkpoint.family.template is None)
    text = template.format(ASK.instruction) if template else ASK.instruction
    assert ids == raw.encode(text, add_special_tokens=False).ids


def test_every_prompt_starts_once(model: LanguageModel, checkpoint: Any, raw: Tokenizer) -> None:
    prefix = checkpoint.ids(checkpoint.family.prefix)
    assert list(model.prefix_ids) == prefix == raw.encode("").ids
    own_bos = PromptConfig(segments=(Segment(text="".join(checkpoint.family.prefix) + "See:"),))
    for prompt in (default_prompt("en", ()), default_prompt("zh", (), template="plain"), ASK, own_bos):
        ids = prompt_ids(model, prompt)
        assert ids[: len(prefix)] == prefix
        assert not prefix or ids.count(prefix[-1]) == 1
        if checkpoint.family.bos and checkpoint.family.bos not in checkpoint.family.prefix:
            assert checkpoint.ids([checkpoint.family.bos])[0] not in ids


def test_reports_end_as_the_family_ends_them(model: LanguageModel, checkpoint: Any) -> None:
    end = checkpoint.ids([ENDS.get(checkpoint.name, checkpoint.family.eos)])[0]
    eos = checkpoint.ids([checkpoint.family.eos])[0]
    for template, last in (("auto", end), ("plain", eos)):
        prompt = default_prompt("en", (), template=template)
        x = PromptAssembler(model, prompt).assemble({}, [{"context": ""}] * 3, REPORTS)
        for row, report in enumerate(REPORTS):
            kept = [int(i) for i in x.labels[row] if i != IGNORED]
            assert kept == [*encode_ordinary(model.tokenizer, report), last]
            assert model.text(kept) == report
    assert set(model.stop_token_ids) == {*checkpoint.ids(checkpoint.family.stops), eos}
    assert end in model.stop_token_ids


def test_padding_is_no_word(model: LanguageModel, checkpoint: Any, raw: Tokenizer) -> None:
    words = set(raw.encode("".join(map(chr, range(32, 127))) + "".join(REPORTS), add_special_tokens=False).ids)
    assert model.tokenizer.pad_token_id not in words
    if checkpoint.family.kind == "bytes":
        assert raw.id_to_token(0) == "!"
        assert 0 in words


def test_studies_alone_are_as_in_a_batch(model: LanguageModel) -> None:
    """Logits of the report, learnt and written, whatever pads the row; rotary positions or absolute ones."""
    stream = torch.Generator().manual_seed(1)
    assembler = PromptAssembler(model, default_prompt("en", ("patches",)))
    vectors = torch.randn(3, 7, model.hidden_size, generator=stream) * 0.5
    mask = torch.arange(7)[None] < torch.tensor([[7], [2], [4]])
    texts = [{"context": context} for context in ("Age: 5 years. Indication: cough and fever.", "", "Sex: female.")]
    with torch.no_grad():
        x = assembler.assemble({"patches": (vectors, mask)}, texts, REPORTS)
        options = {"inputs_embeds": x.inputs_embeds, "attention_mask": x.attention_mask, "position_ids": x.position_ids}
        together, logits = model(**options, labels=x.labels)[1], model(**options)[1]
        counts = (x.labels != IGNORED).sum(dim=1).tolist()
        alone = []
        for row in range(3):
            one = slice(row, row + 1)
            a = assembler.assemble({"patches": (vectors[one], mask[one])}, texts[one], REPORTS[one])
            bare = model.causal(inputs_embeds=a.inputs_embeds[a.attention_mask.bool()][None]).logits[0]
            torch.testing.assert_close(bare, logits[row][x.attention_mask[row].bool()], atol=1e-5, rtol=1e-5)
            alone.append(bare[-counts[row] - 1 : -1])
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-5, rtol=1e-5)
    prompts = assembler.assemble({"patches": (vectors, mask)}, texts)
    decoding = DecodingConfig(max_new_tokens=12)
    written = model.generate(prompts.inputs_embeds, prompts.attention_mask, decoding)
    assert max(len(tokens.ids) for tokens in written) > 1
    with torch.no_grad():
        for row, tokens in enumerate(written):  # the cache of a sliding window too: each token is the likeliest one
            kept = prompts.inputs_embeds[row][prompts.attention_mask[row].bool()]
            read = torch.cat([kept, model.embed(torch.tensor(tokens.ids))])
            scores = model.causal(inputs_embeds=read[None]).logits[0, len(kept) - 1 : -1]
            assert scores.argmax(dim=1).tolist() == tokens.ids
            assert tokens.log_probabilities == pytest.approx(scores.log_softmax(1).amax(1).tolist(), abs=1e-4)


@pytest.mark.parametrize("family_name", ["gemma2", "glm4", "gpt2", "llama2", "phi3", "qwen3"], scope="module")
def test_reports_are_learnt_with_their_end(checkpoint: Any) -> None:
    torch.manual_seed(0)
    model = LanguageModel(LanguageModelConfig(path=str(checkpoint.path), lora_rank=8)).train()
    assembler = PromptAssembler(model, default_prompt("en", ()))
    x = assembler.assemble({}, [{"context": ""}], REPORTS[2:])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    for _ in range(60):
        loss = model(inputs_embeds=x.inputs_embeds, attention_mask=x.attention_mask, labels=x.labels)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if float(loss.detach()) < 0.05:
            break
    prompt = assembler.assemble({}, [{"context": ""}])
    (written,) = model.generate(prompt.inputs_embeds, prompt.attention_mask, DecodingConfig(max_new_tokens=40))
    assert model.text(written.ids) == REPORTS[2]
    assert written.finished
    assert written.ids[-1] == model.turn_end_id


def test_adapters_go_to_attention_and_mlp_alone(model: LanguageModel, checkpoint: Any) -> None:
    names = list(model.trainable_state_dict())
    adapted = {name.split(".lora_A")[0].rpartition(".")[2] for name in names if "lora_A" in name}
    expected = LAYERS.get(checkpoint.name, ATTENTION | {"gate_proj", "up_proj", "down_proj"})
    assert adapted == expected
    assert len([name for name in names if "lora_A" in name]) == 2 * (len(expected) + ("c_proj" in expected))
    assert not any(part in name for name in names for part in ("embed", "wte", "wpe", "lm_head"))
    first = sorted(expected)[0]
    with pytest.raises(UserError, match="lora_targets names no layer") as refusal:
        LanguageModel(LanguageModelConfig(path=str(checkpoint.path), lora_targets=(first, "query_projection")))
    assert all(layer in str(refusal.value) for layer in expected)


def test_projected_vectors_are_as_large_as_words(model: LanguageModel, checkpoint: Any) -> None:
    table = model.causal.get_input_embeddings().weight.detach().double()
    factor = model.hidden_size**0.5 if "gemma" in checkpoint.name else 1.0
    norms = table.norm(dim=1) * factor
    assert TokenSpace(model).scale == pytest.approx(float(norms[norms > 0].median()), rel=1e-5)


def test_more_than_the_model_reads_is_refused(model: LanguageModel) -> None:
    long = torch.zeros(1, 250, model.hidden_size)
    mask = torch.ones(1, 250, dtype=torch.long)
    with pytest.raises(UserError, match="at most 256 positions; this input has 250, and the report may have 7 more"):
        model.generate(long, mask, DecodingConfig(max_new_tokens=7))
    padded = torch.cat([torch.zeros_like(mask), mask], dim=1)
    with torch.no_grad():
        model(inputs_embeds=torch.cat([long, long], dim=1), attention_mask=padded)  # padding takes no position
        with pytest.raises(UserError, match="this input has 500"):
            model(inputs_embeds=torch.cat([long, long], dim=1), attention_mask=torch.ones_like(padded))


def test_a_system_message_is_always_said(model: LanguageModel, checkpoint: Any) -> None:
    if checkpoint.family.template is None:
        with pytest.raises(UserError, match="template: plain"):
            chat_frame(model.tokenizer)
        return
    frame = chat_frame(model.tokenizer, system="You read films.")
    assert (frame.before + frame.after).count("You read films.") == 1
    if checkpoint.name in ("mistral", "gemma2"):  # their templates refuse the role
        assert frame.before.endswith("You read films.\n\n")


needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed ([cpu])"
)


@needs_bitsandbytes
@pytest.mark.parametrize("quantisation", ["4bit", "8bit"])
@pytest.mark.parametrize("family_name", ["gemma3", "glm4", "gpt2", "llama2", "phi3", "qwen2"], scope="module")
def test_quantised_weights_rest_while_adapters_learn(checkpoint: Any, quantisation: Any) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(checkpoint.path), quantisation=quantisation, lora_rank=2))
    kind = "Params4bit" if quantisation == "4bit" else "Int8Params"
    stored = [name for name, weight in model.named_parameters() if type(weight).__name__ == kind]
    assert len(stored) == sum("lora_A" in name for name in model.trainable_state_dict())
    assert not any(part in name for name in stored for part in ("embed", "wte", "lm_head"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assembler = PromptAssembler(model.train(), default_prompt("en", ()))
    x = assembler.assemble({}, [{"context": ""}] * 3, REPORTS)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    losses = []
    for _ in range(2):
        loss = model(inputs_embeds=x.inputs_embeds, attention_mask=x.attention_mask, labels=x.labels)[0]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[1] < losses[0]
    learnt = set(model.trainable_state_dict())
    assert all("lora_" in name for name in learnt)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == learnt
    prompt = assembler.assemble({}, [{"context": ""}])
    (written,) = model.generate(prompt.inputs_embeds, prompt.attention_mask, DecodingConfig(max_new_tokens=4))
    assert 1 <= len(written.ids) <= 4
