"""The loss, what is saved of a system, and what is not."""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.language.settings import DecodingConfig
from llmrg.studies.dataset import collate_studies
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.training.material import TrainingMaterial, read_material
from llmrg.training.settings import TrainConfig


@pytest.fixture(scope="module")
def config(tiny_run: Any) -> TrainConfig:
    return load_config(TrainConfig, tiny_run.config)


@pytest.fixture(scope="module")
def material(config: TrainConfig) -> TrainingMaterial:
    return read_material(config.data)


def build(config: TrainConfig, tiny_run: Any, **changes: Any) -> Any:
    torch.manual_seed(0)
    system = replace(config.system, **changes)
    return build_system(system, config.data, ArtefactPaths.below(tiny_run.artefacts))


def inputs(system: Any, material: TrainingMaterial, rows: list[int]) -> dict[str, Any]:
    dataset = material.dataset(material.training)
    return dict(system.collate([dataset[row] for row in rows]))


@pytest.mark.parametrize("tune_vision", [True, False])
def test_loss_is_the_mean_over_report_tokens_alone(config, material, tiny_run, tune_vision: bool) -> None:
    system = build(config, tiny_run, tune_vision=tune_vision).eval()
    given = inputs(system, material, [0, 1, 2])
    tokenizer = system.language_model.tokenizer
    reports = [study.report() for study in given["batch"].studies]
    expected_ids = [tokenizer(report, add_special_tokens=False).input_ids[:96] for report in reports]
    expected_ids = [[*ids, tokenizer.eos_token_id] if len(ids) < 96 else ids for ids in expected_ids]
    labels = [row[row != -100].tolist() for row in given["labels"]]
    assert labels == expected_ids
    result = system(**given)
    logits = result["output"].logits
    targets = torch.tensor([token for ids in expected_ids for token in ids])
    assert logits.shape[0] == len(targets)
    language = functional.cross_entropy(logits.double(), targets)
    parts = result["output"].parts
    assert parts["language"].item() == pytest.approx(language.item(), rel=1e-5)
    assert set(parts) == ({"language", "diagnosis_presence", "diagnosis_side"} if tune_vision else {"language"})
    assert result["loss"].item() == pytest.approx(sum(part.item() for part in parts.values()), rel=1e-6)


def test_a_collated_report_that_is_cut_lacks_the_end(config, material, tiny_run) -> None:
    system = build(config, tiny_run, max_report_tokens=5)
    given = inputs(system, material, [0, 1])
    assert given["labels"].shape == (2, 5)
    assert system.language_model.eos_token_id not in given["labels"]
    assert system.count_long_reports(material.training) == len(material.training)
    assert build(config, tiny_run, max_report_tokens=10_000).count_long_reports(material.training) == 0


def without_dropout(system: Any) -> Any:
    for module in system.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return system


def gradients(system: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.grad.clone() for name, parameter in system.named_parameters() if parameter.grad is not None}


def test_two_micro_batches_give_the_gradient_of_one_batch(config, material, tiny_run) -> None:
    """In double precision (the loss itself is float32), with reports of different lengths."""
    system = without_dropout(build(config, tiny_run).double().train())
    rows = [0, 1, 2, 3, 4, 5]
    whole = inputs(system, material, rows)
    count = (whole["labels"] != -100).sum()
    system(**whole)["loss"].backward()
    expected = gradients(system)
    system.zero_grad()
    lengths = []
    for part in ([0, 1], [2, 3, 4, 5]):
        given = inputs(system, material, part)
        lengths.append(int((given["labels"] != -100).sum()))
        system(**given, num_items_in_batch=count)["loss"].backward()
    found = gradients(system)
    assert lengths[0] != lengths[1]
    assert found.keys() == expected.keys()
    assert any(name.startswith("sources.visual_memory") for name in found)
    assert any("lora" in name for name in found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-7, msg=name)


def test_losses_of_micro_batches_add_up_to_those_of_the_whole_batch(config, material, tiny_run) -> None:
    """However unevenly tokens, hedged findings and stated sides are spread over the micro-batches."""
    system = build(config, tiny_run, tune_vision=True).eval()
    parts = [inputs(system, material, rows) for rows in ([0], [1, 2, 3, 4], [5, 6])]
    whole = system(**inputs(system, material, list(range(7))))["output"]
    tokens = sum((part["labels"] != -100).sum() for part in parts)
    counted = [system.loss_items(part["batch"]) for part in parts]
    items = {name: sum(own[name] for own in counted) for name in counted[0]}
    assert items.keys() == {"studies", "diagnosis_presence", "diagnosis_side"}
    assert items["studies"] == 7
    outputs = [system(**part, num_items_in_batch=tokens, loss_items=items)["output"] for part in parts]
    for name, expected in whole.parts.items():
        assert sum(output.parts[name] for output in outputs).item() == pytest.approx(expected.item(), rel=1e-5), name
    assert sum(output.loss for output in outputs).item() == pytest.approx(whole.loss.item(), rel=1e-5)


FOREIGN = ("patterns", "visual", "reports", "labels", "base_layer", "embed_tokens", "retrieved_context.encoder")


@pytest.mark.parametrize("tune_vision", [True, False])
def test_own_state_holds_what_was_learnt_and_nothing_else(config, tiny_run, tune_vision: bool) -> None:
    system = build(config, tiny_run, tune_vision=tune_vision)
    state = system.state_dict()
    assert state.keys() == system.own_state().keys()
    for name in state:
        parts = name.split(".")
        assert parts[-1] not in FOREIGN[:4], name
        assert not any(word in name for word in FOREIGN[4:]), name
    assert any(name.startswith("encoder.") for name in state) == tune_vision
    trainable = {name for name, parameter in system.named_parameters() if parameter.requires_grad}
    assert trainable <= state.keys()
    statistics = state.keys() - trainable
    assert all("running_" in name or "num_batches" in name for name in statistics), statistics
    pointers = [tensor.data_ptr() for tensor in state.values() if tensor.numel()]
    assert len(pointers) == len(set(pointers))
    assert all(tensor.is_contiguous() and tensor.device.type == "cpu" for tensor in state.values())
    # copies: what is done to them does not reach the system
    name = next(iter(trainable))
    state[name] += 1
    assert not torch.equal(state[name], system.own_state()[name])


@pytest.mark.parametrize("tuning", ["lora", "full", "frozen"])
@pytest.mark.parametrize("tune_vision", [True, False])
def test_state_goes_round(config, tiny_run, tuning: str, tune_vision: bool) -> None:
    language = replace(config.system.language_model, tuning=tuning)
    first = build(config, tiny_run, language_model=language, tune_vision=tune_vision)
    second = build(config, tiny_run, language_model=language, tune_vision=tune_vision)
    with torch.no_grad():
        for parameter in first.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    state = first.own_state()
    if tuning == "full":  # input and output embeddings are tied: one tensor
        assert [name for name in state if "embed_tokens" in name]
        assert not [name for name in state if "lm_head" in name]
    second.load_state_dict(state)
    assert all(torch.equal(tensor, second.own_state()[name]) for name, tensor in state.items())


def test_a_state_that_does_not_fit_is_refused(config, tiny_run) -> None:
    system = build(config, tiny_run)
    state = system.own_state()
    name = next(name for name in state if name.startswith("sources."))
    with pytest.raises(ValueError, match=r"1 tensors do not fit.*"):
        system.load_own_state({key: value for key, value in state.items() if key != name})
    with pytest.raises(ValueError, match=name):
        system.load_own_state({**state, name: torch.zeros(1, 2, 3)})
    with pytest.raises(UserError, match="do not fit this model"):
        system.load_own_state({key: value for key, value in state.items() if not key.startswith("language_model.")})
    assert all(torch.equal(tensor, system.own_state()[key]) for key, tensor in state.items())


def test_an_encoder_without_artefact_is_part_of_the_state(config, tiny_run) -> None:
    """A frozen trunk that no earlier stage made would otherwise be lost."""
    evidence = replace(config.system.evidence, sources=("patches",))
    system = replace(config.system, tune_vision=False, evidence=evidence)
    paths = ArtefactPaths(language_model=tiny_run.artefacts / "language_model")
    built = build_system(system, config.data, paths)
    names = built.own_state().keys()
    assert {name for name in built.state_dict() if name.startswith("encoder.")} == {
        f"encoder.{name}" for name in built.encoder.state_dict()
    }
    assert not any(parameter.requires_grad for parameter in built.encoder.parameters())
    other = build_system(system, config.data, paths)
    other.load_own_state(built.own_state())
    assert names == other.own_state().keys()


def test_an_untuned_encoder_never_changes(config, material, tiny_run) -> None:
    system = build(config, tiny_run, tune_vision=False).train()
    assert not any(module.training for module in system.encoder.modules())
    before = copy.deepcopy(system.encoder.state_dict())
    system(**inputs(system, material, [0, 1, 2]))["loss"].backward()
    assert all(parameter.grad is None for parameter in system.encoder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in system.encoder.state_dict().items())


def test_the_encoder_of_the_index_stays_frozen_while_vision_is_tuned(config, material, tiny_run) -> None:
    system = build(config, tiny_run, tune_vision=True).train()
    frozen = system.sources["retrieved_context"].encoder
    assert frozen is not system.encoder
    assert not any(module.training for module in frozen.modules())
    artefact = load_file(tiny_run.artefacts / "disease_classifier" / "encoder.safetensors")
    optimizer = torch.optim.SGD([p for p in system.parameters() if p.requires_grad], lr=0.1)
    system(**inputs(system, material, [0, 1, 2]))["loss"].backward()
    optimizer.step()
    assert all(torch.equal(value, artefact[name]) for name, value in frozen.state_dict().items())
    assert any(not torch.equal(value, artefact[name]) for name, value in system.encoder.state_dict().items())


def test_activation_checkpointing_gives_the_same_gradients_without_a_warning(config, material, tiny_run) -> None:
    system = without_dropout(build(config, tiny_run).train())
    given = inputs(system, material, [0, 1])
    system(**given)["loss"].backward()
    plain = gradients(system)
    system.zero_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        system.activation_checkpointing_enable(activation_checkpointing_kwargs=None, every_n_layers=1, offload=False)
    assert system.language_model.causal.model.is_activation_checkpointing
    system(**given)["loss"].backward()
    for name, gradient in gradients(system).items():
        torch.testing.assert_close(gradient, plain[name], msg=name)
    system.activation_checkpointing_disable()
    assert not system.language_model.causal.model.is_activation_checkpointing


def test_own_patient_never_answers(config, material, tiny_run) -> None:
    """Training studies of the same patient (pairs share one) are neither retrieved nor remembered."""
    system = build(config, tiny_run).eval()
    dataset = material.dataset(material.training)
    reports = system.generate(
        collate_studies([dataset[row] for row in range(12)]), DecodingConfig(max_new_tokens=2), with_records=True
    )
    patients = {study.id: study.patient_id for study in material.training}
    named = 0
    for study, report in zip(material.training, reports, strict=False):
        for record in report.records:
            for item in record["items"]:
                other = item.get("study_id") or item.get("pattern", {}).get("study_id")
                if other is not None:
                    named += 1
                    assert patients[other] != study.patient_id, (record["kind"], study.id, other)
    assert named > 12


def test_records_come_for_each_source_and_only_when_asked(config, material, tiny_run) -> None:
    system = build(config, tiny_run)
    dataset = material.dataset(material.validation)
    batch = collate_studies([dataset[0], dataset[1]])
    asked = system.generate(batch, DecodingConfig(max_new_tokens=3), with_records=True)
    assert [record["kind"] for record in asked[0].records] == list(config.system.evidence.sources)
    json.dumps(asked[0].records)
    attention = asked[0].maps["attention"]
    assert attention.shape == (len(material.vocabulary.abnormal), 2, 3, 3)
    torch.testing.assert_close(attention.sum(dim=(1, 2, 3)), torch.ones(len(attention)), rtol=1e-4, atol=1e-4)
    plain = system.generate(batch, DecodingConfig(max_new_tokens=3))
    assert [list(report.records) for report in plain] == [[], []]
    assert [dict(report.maps) for report in plain] == [{}, {}]
    assert [report.text for report in plain] == [report.text for report in asked]
    assert not system.training or system.train().training


def test_generation_restores_the_mode(config, material, tiny_run) -> None:
    system = build(config, tiny_run).train()
    dataset = material.dataset(material.validation)
    system.generate(collate_studies([dataset[0]]), DecodingConfig(max_new_tokens=1))
    assert system.training
    assert not system.encoder.training


def test_instruction_reaches_the_prompt_and_needs_a_place(config, material, tiny_run) -> None:
    system = build(config, tiny_run)
    dataset = material.dataset(material.validation)
    batch = collate_studies([dataset[0]])
    decoding = DecodingConfig(max_new_tokens=8)
    usual = system.generate(batch, decoding)[0]
    own = system.generate(batch, decoding, instruction=system.assembler.prompt.instruction)[0]
    other = system.generate(batch, decoding, instruction="气胸？" * 30)[0]
    assert own.log_probabilities == pytest.approx(usual.log_probabilities)
    assert other.log_probabilities != pytest.approx(usual.log_probabilities)
    prompt = system.assembler.prompt
    system.assembler.prompt = replace(prompt, segments=tuple(s for s in prompt.segments if s.text != "{instruction}"))
    with pytest.raises(UserError, match="no place for an instruction"):
        system.generate(batch, decoding, instruction="x")


def test_a_removed_source_reads_like_one_with_nothing_to_say(tiny_loaded: Any) -> None:
    """The prompt without a source is the prompt of an evidence whose tokens and words are all gone."""
    system = tiny_loaded.system
    material = read_material(tiny_loaded.config.data)
    batch = system.collate([material.dataset(material.training)[row] for row in (0, 1)], with_reports=False)["batch"]
    evidence = system.gather(batch, with_records=True)
    for kind, found in evidence.items():
        silent = found.silenced()
        assert silent.records == ()
        assert silent.state is found.state
        assert found.records  # the evidence itself is left alone
        if found.words is not None:
            assert list(silent.words) == ["", ""]
        length = system._assemble(evidence, batch.studies, None).attention_mask.sum(1)
        shorter = system._assemble({**evidence, kind: silent}, batch.studies, None).attention_mask.sum(1)
        if found.mask is not None:
            assert (length - shorter).tolist() == found.mask.sum(1).tolist(), kind
        else:
            assert (shorter < length).all(), kind
    decoding = DecodingConfig(max_new_tokens=8)
    whole = system.generate(batch, decoding)
    assert [report.text for report in system.generate(batch, decoding, without=())] == [r.text for r in whole]
    everything = system.generate(batch, decoding, without=tuple(system.sources), with_records=True)
    assert all(report.records == [] and report.maps == {} for report in everything)
    with pytest.raises(UserError, match="disease_queries"):
        system.generate(batch, decoding, without=("disease_querys",))
