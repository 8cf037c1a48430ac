from __future__ import annotations

from collections import Counter

import pytest
import torch

from llmrg.errors import UserError
from llmrg.language.assembly import PromptAssembler
from llmrg.language.decoding import IncrementalText
from llmrg.language.llm import LanguageModel
from llmrg.language.prompt import PromptConfig, Segment
from llmrg.language.settings import DecodingConfig, LanguageModelConfig

REPORTS = ("双肺纹理增多。", "The heart is enlarged.")


@pytest.fixture(scope="module")
def random_model(tiny_checkpoint) -> LanguageModel:
    return LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen2")), tuning="frozen")).double()


@pytest.fixture(scope="module")
def taught_model(tiny_checkpoint) -> tuple[LanguageModel, PromptAssembler]:
    """A model that has learnt one report for each of two prompts."""
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")), tuning="full")).train()
    assembler = PromptAssembler(model, PromptConfig(segments=(Segment(text="{context}:"),)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        x = assembler.assemble({}, [{"context": "zh"}, {"context": "en, long"}], REPORTS)
        loss, _ = model(inputs_embeds=x.inputs_embeds, attention_mask=x.attention_mask, labels=x.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, assembler


def next_log_probabilities(model: LanguageModel, prompt: torch.Tensor, ids: list[int]) -> torch.Tensor:
    """The model's own distribution after a prompt and some tokens, without cache or padding."""
    words = model.embed(torch.tensor(ids, dtype=torch.long))
    with torch.no_grad():
        logits = model.causal(inputs_embeds=torch.cat([prompt, words])[None]).logits[0, -1].double()
    return logits - torch.logsumexp(logits, 0)


def test_greedy_takes_the_likeliest_token_and_tells_its_probability(random_model) -> None:
    prompt = torch.randn(4, 64, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    (written,) = random_model.generate(prompt[None], torch.ones(1, 4), DecodingConfig(max_new_tokens=6))
    for step, (token, score) in enumerate(zip(written.ids, written.log_probabilities, strict=True)):
        expected = next_log_probabilities(random_model, prompt, written.ids[:step])
        assert token == int(expected.argmax())
        assert score == pytest.approx(float(expected[token]), abs=1e-5)


def test_beam_search_of_two_steps_finds_the_best_pair(random_model) -> None:
    prompt = torch.randn(4, 64, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    size = len(random_model.tokenizer)
    first = next_log_probabilities(random_model, prompt, [])
    pairs = torch.stack([next_log_probabilities(random_model, prompt, [i]) for i in range(size)]) + first[:, None]
    stop = random_model.eos_token_id
    pairs[stop] = -torch.inf
    best = divmod(int(pairs.argmax()), size)
    decoding = DecodingConfig(strategy="beam", beams=size // 2, max_new_tokens=2, min_new_tokens=2)
    (written,) = random_model.generate(prompt[None], torch.ones(1, 4), decoding)
    pairs[:, stop] = -torch.inf
    best = divmod(int(pairs.argmax()), size)
    assert tuple(written.ids) == best
    assert sum(written.log_probabilities) == pytest.approx(float(pairs[best]), abs=1e-5)


def test_sampling_follows_the_distribution(random_model) -> None:
    prompt = torch.randn(3, 64, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    decoding = DecodingConfig(strategy="sampling", temperature=2.0, max_new_tokens=1)
    n = 4000
    drawn = random_model.generate(prompt.expand(n, 3, 64), torch.ones(n, 3), decoding, seeds=range(n))
    counts = Counter(tokens.ids[0] for tokens in drawn)
    expected = torch.softmax(next_log_probabilities(random_model, prompt, []) / 2.0, 0)
    for token in expected.topk(5).indices.tolist():
        p = float(expected[token])
        assert abs(counts[token] / n - p) < 5 * (p * (1 - p) / n) ** 0.5
    top = DecodingConfig(strategy="sampling", top_p=1e-6, max_new_tokens=1)
    assert {
        t.ids[0] for t in random_model.generate(prompt.expand(9, 3, 64), torch.ones(9, 3), top, seeds=range(9))
    } == {int(expected.argmax())}


def test_seeds_decide_a_sample_and_leave_the_global_state_alone(random_model) -> None:
    prompt = torch.randn(2, 3, 64, dtype=torch.double, generator=torch.Generator().manual_seed(3))
    decoding = DecodingConfig(strategy="sampling", max_new_tokens=8, seed=11)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    a = random_model.generate(prompt, torch.ones(2, 3), decoding)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(1)
    assert [t.ids for t in a] == [t.ids for t in random_model.generate(prompt, torch.ones(2, 3), decoding)]
    other = random_model.generate(prompt, torch.ones(2, 3), decoding, seeds=[12, 13])
    assert [t.ids for t in a] != [t.ids for t in other]


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sampling"])
def test_reports_learnt_are_written_and_ended(taught_model, strategy) -> None:
    model, assembler = taught_model
    x = assembler.assemble({}, [{"context": "zh"}, {"context": "en, long"}])
    decoding = DecodingConfig(
        strategy=strategy, beams=3 if strategy == "beam" else 1, temperature=0.2 if strategy == "sampling" else 1.0
    )
    written = model.generate(x.inputs_embeds, x.attention_mask, decoding)
    assert [model.text(tokens.ids) for tokens in written] == list(REPORTS)
    assert all(tokens.finished and tokens.ids[-1] == model.eos_token_id for tokens in written)
    assert all(tokens.ids.count(model.eos_token_id) == 1 for tokens in written)
    assert model.training


def test_a_report_stopped_by_the_limit_is_not_finished(taught_model) -> None:
    model, assembler = taught_model
    x = assembler.assemble({}, [{"context": "zh"}])
    (written,) = model.generate(x.inputs_embeds, x.attention_mask, DecodingConfig(max_new_tokens=2))
    assert len(written.ids) == 2
    assert not written.finished


@pytest.mark.parametrize("strategy", ["greedy", "sampling"])
def test_streamed_tokens_are_the_report(taught_model, strategy) -> None:
    model, assembler = taught_model
    x = assembler.assemble({}, [{"context": "zh"}, {"context": "en, long"}])
    streamed: dict[int, list[int]] = {0: [], 1: []}
    written = model.generate(
        x.inputs_embeds,
        x.attention_mask,
        DecodingConfig(strategy=strategy),
        on_token=lambda row, token: streamed[row].append(token),
    )
    assert [streamed[0], streamed[1]] == [tokens.ids for tokens in written]
    text = IncrementalText(model.tokenizer)
    assert "".join(text.push(token) for token in streamed[0]) == REPORTS[0]


def test_beam_search_does_not_stream(random_model) -> None:
    with pytest.raises(UserError, match="stream"):
        random_model.generate(
            torch.zeros(1, 2, 64),
            torch.ones(1, 2),
            DecodingConfig(strategy="beam", beams=2),
            on_token=lambda row, token: None,
        )


def test_incremental_text_never_shows_half_a_character(tiny_checkpoint) -> None:
    tokenizer = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")))).tokenizer
    message = "肺🙂a"
    ids = [
        tokenizer.convert_tokens_to_ids(c)
        for c in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("🙂")[0][0]
    ]
    text = IncrementalText(tokenizer)
    pieces = [text.push(token) for token in ids]
    assert pieces == ["", "", "", "🙂"]
    text = IncrementalText(tokenizer)
    assert "".join(text.push(token) for token in tokenizer(message, add_special_tokens=False).input_ids) == message
