from __future__ import annotations

import importlib.util
import math

import pytest
import torch

from llmrg.errors import UserError
from llmrg.language.llm import IGNORED, LanguageModel, positions
from llmrg.language.settings import DecodingConfig, LanguageModelConfig

FAMILIES = ("qwen3", "qwen2", "llama", "gpt_neox")


def perturb(model: LanguageModel) -> None:
    """Give adapters an effect: LoRA's second matrix starts at zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)) * 0.05)


def batch(model: LanguageModel, prompts=(3, 5, 2), reports=(4, 1, 6)):
    """Left-padded random prompts, right-padded reports, with garbage in the padding."""
    stream = torch.Generator().manual_seed(1)
    p, r = max(prompts), max(reports)
    embeds = torch.randn(len(prompts), p + r, model.hidden_size, generator=stream)
    mask = torch.zeros(len(prompts), p + r, dtype=torch.long)
    labels = torch.full((len(prompts), p + r), IGNORED)
    for row, (n, m) in enumerate(zip(prompts, reports, strict=True)):
        mask[row, p - n : p + m] = 1
        labels[row, p : p + m] = torch.randint(0, 300, (m,), generator=stream)
    return embeds.to(model.dtype), mask, labels


def plain_loss(model: LanguageModel, embeds, mask, labels) -> tuple[float, int]:
    """Sum of -log p over labels, row by row without padding, in float64 and by the definition."""
    total, count = 0.0, 0
    for row in range(len(embeds)):
        kept = mask[row].bool()
        logits = model.causal(inputs_embeds=embeds[row][kept][None]).logits[0].double()
        for position, label in enumerate(labels[row][kept].tolist()):
            if label != IGNORED and position:
                scores = logits[position - 1]
                total -= float(scores[label] - torch.logsumexp(scores, 0))
                count += 1
    return total, count


@pytest.mark.parametrize("tuning", ["frozen", "lora", "full"])
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_is_the_cross_entropy_of_report_tokens(tiny_checkpoint, family, tuning) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint(family)), tuning=tuning)).double()
    perturb(model)
    embeds, mask, labels = batch(model)
    with torch.no_grad():
        loss, logits = model(inputs_embeds=embeds, attention_mask=mask, labels=labels)
        scaled, _ = model(inputs_embeds=embeds, attention_mask=mask, labels=labels, num_items_in_batch=torch.tensor(40))
        total, count = plain_loss(model, embeds, mask, labels)
    assert count == 11
    assert logits.shape == (count, len(model.tokenizer))
    assert float(loss) == pytest.approx(total / count, rel=1e-5)
    assert float(scaled) == pytest.approx(total / 40, rel=1e-5)


def test_logits_are_computed_at_label_positions_only(tiny_checkpoint) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3"))))
    seen = []
    model.causal.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    embeds, mask, labels = batch(model)
    model(inputs_embeds=embeds, attention_mask=mask, labels=labels)
    assert [math.prod(shape[:-1]) for shape in seen] == [11]


def test_a_batch_without_labels_gives_zero_and_a_gradient(tiny_checkpoint) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3"))))
    embeds, mask, labels = batch(model)
    loss, _ = model(inputs_embeds=embeds, attention_mask=mask, labels=torch.full_like(labels, IGNORED))
    loss.backward()
    assert float(loss.detach()) == 0.0


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_checkpointing_changes_nothing(tiny_checkpoint, family) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint(family)))).double().train()
    perturb(model)
    embeds, mask, labels = batch(model)
    embeds.requires_grad_()

    def gradients() -> list[torch.Tensor]:
        wanted = [embeds, *(p for p in model.parameters() if p.requires_grad)]
        loss, _ = model(inputs_embeds=embeds, attention_mask=mask, labels=labels)
        return list(torch.autograd.grad(loss, wanted))

    plain = gradients()
    model.activation_checkpointing_enable({"use_reentrant": False})
    assert model.causal.is_activation_checkpointing
    for a, b in zip(plain, gradients(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", ["greedy", "beam", "sampling"])
def test_generation_does_not_depend_on_the_batch(tiny_checkpoint, family, strategy) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint(family)))).double()
    perturb(model)
    embeds, mask, _ = batch(model, prompts=(3, 9, 5), reports=(0, 0, 0))
    decoding = DecodingConfig(strategy=strategy, beams=3 if strategy == "beam" else 1, max_new_tokens=7)
    together = model.generate(embeds, mask, decoding, seeds=[4, 5, 6])
    for row, seed in enumerate([4, 5, 6]):
        kept = mask[row].bool()
        (alone,) = model.generate(embeds[row][kept][None], mask[row][kept][None], decoding, seeds=[seed])
        assert alone.ids == together[row].ids
        assert alone.log_probabilities == pytest.approx(together[row].log_probabilities, abs=1e-6)


def test_adapters_go_to_every_linear_layer_and_training_moves_nothing_else(tiny_checkpoint) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")), lora_rank=2)).train()
    adapted = {name.split(".lora_A")[0].rpartition(".")[2] for name in model.trainable_state_dict() if "lora_A" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    embeds, mask, labels = batch(model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        model(inputs_embeds=embeds, attention_mask=mask, labels=labels)[0].backward()
        optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == set(model.trainable_state_dict())


def test_chosen_targets_are_obeyed_and_unknown_ones_refused(tiny_checkpoint) -> None:
    path = str(tiny_checkpoint("qwen3"))
    model = LanguageModel(LanguageModelConfig(path=path, lora_targets=("v_proj",)))
    assert all(".v_proj.lora_" in name for name in model.trainable_state_dict())
    with pytest.raises(UserError, match="v_proj"):
        LanguageModel(LanguageModelConfig(path=path, lora_targets=("v_porj",)))


@pytest.mark.parametrize(("tuning", "extra"), [("lora", ()), ("lora", ("lm_head",)), ("full", ()), ("frozen", ())])
def test_trainable_weights_are_saved_and_put_back(tiny_checkpoint, tuning, extra) -> None:
    config = LanguageModelConfig(path=str(tiny_checkpoint("qwen2")), tuning=tuning, modules_to_save=extra)
    first, second = LanguageModel(config), LanguageModel(config)
    perturb(first)
    embeds, mask, labels = batch(first)
    state = first.trainable_state_dict()
    assert (len(state) == 0) == (tuning == "frozen")
    second.load_trainable_state_dict(state)
    with torch.no_grad():
        a, b = (m.eval()(inputs_embeds=embeds, attention_mask=mask, labels=labels)[1] for m in (first, second))
    assert torch.equal(a, b)


def test_weights_that_do_not_fit_are_refused(tiny_checkpoint) -> None:
    path = str(tiny_checkpoint("qwen2"))
    state = LanguageModel(LanguageModelConfig(path=path, lora_rank=2)).trainable_state_dict()
    with pytest.raises(UserError, match="do not fit"):
        LanguageModel(LanguageModelConfig(path=path, lora_rank=4)).load_trainable_state_dict(state)
    with pytest.raises(UserError, match="do not fit"):
        LanguageModel(LanguageModelConfig(path=path, tuning="frozen")).load_trainable_state_dict(state)


def test_another_base_model_is_noticed(tiny_checkpoint) -> None:
    reference = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen2")))).reference()
    LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen2")))).check_reference(reference)
    with pytest.raises(UserError, match="weights"):
        LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")))).check_reference(reference)


def test_bos_only_where_the_tokenizer_adds_one(tiny_checkpoint) -> None:
    assert LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")))).prefix_ids == ()
    llama = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("llama"))))
    assert llama.prefix_ids == (llama.tokenizer.convert_tokens_to_ids("<|begin|>"),)


def test_positions_count_from_the_first_real_token() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0]])
    assert positions(mask).tolist()[0][2:5] == [0, 1, 2]
    assert positions(mask).tolist()[1][:4] == [0, 1, 2, 3]


def test_a_large_model_is_planned_without_memory() -> None:
    architecture = {
        "model_type": "qwen2",
        "vocab_size": 152064,
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "intermediate_size": 18944,
        "tie_word_embeddings": False,
    }
    model = LanguageModel.planned(LanguageModelConfig(path="Qwen/Qwen2-7B", lora_rank=16), architecture)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    assert all(p.is_meta for p in model.parameters())
    assert total - trainable == 7_615_616_512  # what the published Qwen2-7B has
    # rank x (inputs + outputs) of q, k, v, o, gate, up, down, in each layer
    assert trainable == 28 * 16 * (7168 + 2 * (3584 + 512) + 7168 + 3 * (3584 + 18944))
    with pytest.raises(UserError, match="tokenizer"):
        _ = model.tokenizer


needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed ([cpu])"
)


@needs_bitsandbytes
@pytest.mark.parametrize("quantisation", ["4bit", "8bit"])
def test_writing_between_steps_leaves_quantised_gradients_alone(tiny_checkpoint, quantisation) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")), quantisation=quantisation)).train()
    embeds, mask, labels = batch(model)
    wanted = [p for p in model.parameters() if p.requires_grad]

    def gradients() -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(model(inputs_embeds=embeds, attention_mask=mask, labels=labels)[0], wanted)

    before = gradients()
    model.generate(embeds[:, :5], mask[:, :5], DecodingConfig(max_new_tokens=2))
    for a, b in zip(before, gradients(), strict=True):
        torch.testing.assert_close(a, b)


@needs_bitsandbytes
@pytest.mark.parametrize("quantisation", ["4bit", "8bit"])
def test_quantised_models_learn_and_write(tiny_checkpoint, quantisation) -> None:
    config = LanguageModelConfig(path=str(tiny_checkpoint("qwen3")), quantisation=quantisation, lora_rank=4)
    model = LanguageModel(config).train()
    linear = model.causal.model.layers[0].mlp.up_proj.get_base_layer()
    assert linear.weight.dtype in (torch.uint8, torch.int8)
    embeds, mask, labels = batch(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(6):
        loss, _ = model(inputs_embeds=embeds, attention_mask=mask, labels=labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all("lora_" in name for name in model.trainable_state_dict())
    (written, *_) = model.generate(embeds[:, :5], mask[:, :5], DecodingConfig(max_new_tokens=4))
    assert 1 <= len(written.ids) <= 4


def test_quantisation_without_bitsandbytes_names_the_extra(tiny_checkpoint, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with pytest.raises(UserError, match=r"\[cpu\]"):
        LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")), quantisation="4bit"))
