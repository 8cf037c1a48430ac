"""The model card of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmrg.training.material import TrainingMaterial
from llmrg.training.settings import TrainConfig

__all__ = ["model_card"]


def model_card(
    *,
    config: TrainConfig,
    material: TrainingMaterial,
    figures: Mapping[str, float],
    parameters: Mapping[str, int],
    reference: Mapping[str, Any],
    patient_text: Sequence[str],
) -> str:
    """Write the card in Markdown with a YAML head, as model hubs read it.

    Args:
        config: the training.
        material: its studies.
        figures: validation figures of the chosen checkpoint.
        parameters: total and trainable parameters.
        reference: name, revision and hash of the base language model.
        patient_text: artefacts from whose files report text could be read.
    """
    data = material.data
    system = config.system
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(figures.items()))
    privacy = (
        f"These artefacts may give report text of patients away: {', '.join(patient_text)}."
        if patient_text
        else "No file of this run holds report text of patients; weights may still have memorised phrases."
    )
    return f"""---
language: {data.language}
library_name: llmrg
pipeline_tag: image-to-text
base_model: {reference.get("path")}
---
# {system.name} on {data.format}

A chest X-ray report generator trained with llmrg. **Not a medical device**: for research; every report must be read
and signed by a radiologist.

| | |
|---|---|
| writes | {", ".join(data.target)} in {"Chinese" if data.language == "zh" else "English"} |
| trunk | {system.vision.architecture} at {data.image_size} px, up to {data.views} views |
| evidence | {", ".join(system.evidence.sources)} |
| language model | {reference.get("path")} (revision {reference.get("revision")}), {system.language_model.tuning} |
| parameters | {parameters["total"]:,} in all, {parameters["trainable"]:,} trained in the last stage |
| training studies | {len(material.training)} of {len({s.patient_id for s in material.training})} patients |
| validation studies | {len(material.validation)} |
| set aside | {len(material.bad)} studies that could not be read |
| training studies' hash | `{material.split_hash}` |
| labels | {material.labeler_version} |
| seed | {config.seed} |
| decoding | {config.decoding.strategy}, at most {config.decoding.max_new_tokens} tokens |

## Validation (generated reports, chosen checkpoint)
| figure | value |
|---|---|
{rows}

These figures chose the checkpoint, so they flatter it; test figures come from `llmrg benchmark`.

## Privacy
{privacy} Memory and index hold study and patient identifiers of the training split.

## Use
```
llmrg generate RUN frontal.png lateral.png
```
"""
