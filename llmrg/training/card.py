"""The model card of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmrg.studies.mixture import Data, MixtureConfig
from llmrg.systems.build import EMBEDDED
from llmrg.systems.privacy import PatientData, privacy_section
from llmrg.systems.run import ARTEFACTS
from llmrg.training.material import TrainingMaterial
from llmrg.training.settings import TrainConfig

__all__ = ["model_card"]

_LANGUAGES = {"zh": "Chinese", "en": "English"}


def model_card(
    *,
    config: TrainConfig,
    material: TrainingMaterial,
    figures: Mapping[str, float],
    parameters: Mapping[str, int],
    reference: Mapping[str, Any],
    patient_data: Sequence[PatientData],
    gates: Mapping[str, float] | None = None,
) -> str:
    """Write the card in Markdown with a YAML head, as model hubs read it.

    Args:
        config: the training.
        material: its studies.
        figures: validation figures of the chosen checkpoint.
        parameters: total and trainable parameters.
        reference: name, revision and hash of the base language model.
        patient_data: what the run holds of patients.
        gates: how far the gate of each evidence source is open in the chosen checkpoint; None where there are none.
    """
    data = material.data
    system = config.system
    embedded = system.language_model.path == EMBEDDED
    base = f"{ARTEFACTS}/language_model" if embedded else reference.get("path")
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(figures.items()))
    language = data.languages[0] if len(data.languages) == 1 else f"[{', '.join(data.languages)}]"
    return f"""---
language: {language}
library_name: llmrg
pipeline_tag: image-to-text
base_model: {base}
---
# {system.name} on {_datasets(data)}

A chest X-ray report generator trained with llmrg. **Not a medical device**: for research; every report must be read
and signed by a radiologist.

| | |
|---|---|
| writes | {", ".join(data.target)} in {" and ".join(_LANGUAGES[code] for code in data.languages)} |
| trunk | {system.vision.architecture} at {data.image_size} px, up to {data.views} views |
| evidence | {", ".join(system.evidence.sources)} |
{_gates(gates)}| language model | {base} (revision {reference.get("revision")}), {system.language_model.tuning} |
| parameters | {parameters["total"]:,} in all, {parameters["trainable"]:,} trained in the last stage |
| training studies | {len(material.training)} of {len({s.patient_id for s in material.training})} patients |
| validation studies | {len(material.validation)} |
{_members(material)}| set aside | {len(material.bad)} studies that could not be read |
| training studies' hash | `{material.split_hash}` |
| labels | {material.labeler_version} |
| seed | {config.seed} |
| decoding | {config.decoding.strategy}, at most {config.decoding.max_new_tokens} tokens |

## Validation (generated reports, chosen checkpoint)
| figure | value |
|---|---|
{rows}

These figures chose the checkpoint, so they flatter it; test figures come from `llmrg benchmark`.

{privacy_section(patient_data)}
## Use
```
llmrg generate RUN frontal.png lateral.png
```
"""


def _gates(gates: Mapping[str, float] | None) -> str:
    """A row of the table where sources have gates."""
    return f"| gates | {', '.join(f'{kind} {value:.2f}' for kind, value in gates.items())} |\n" if gates else ""


def _datasets(data: Data) -> str:
    return " + ".join(data.members) if isinstance(data, MixtureConfig) else data.format


def _members(material: TrainingMaterial) -> str:
    """A row of the table for each member of a mixture."""
    data, shares = material.data, material.shares
    if not isinstance(data, MixtureConfig) or shares is None:
        return ""
    rows = []
    for name, member in data.members.items():
        own = [study for study in material.training if study.dataset == name]
        patients = len({study.patient_id for study in own})
        weight = "by size" if member.weight is None else f"weight {member.weight:g}"
        rows.append(
            f"| member {name} | {member.data.format}, {_LANGUAGES[member.data.language]}: {len(own)} training studies "
            f"of {patients} patients, {weight}, {shares[name]:.1%} of an epoch |\n"
        )
    return "".join(rows)
