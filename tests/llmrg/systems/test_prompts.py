from __future__ import annotations

import pytest

from llmrg.language.prompt import default_prompt, fill
from llmrg.systems.prompts import system_prompt


@pytest.mark.parametrize("kind", ["r2gengpt", "mambaxray_vl"])
def test_r2gengpts_own_words(kind: str) -> None:
    prompt = system_prompt(kind, "en", ("patches",))
    assert prompt.template == "plain"
    words = [fill(s, {"instruction": prompt.instruction}) if s.text else f"<{s.source}>" for s in prompt.segments]
    assert "".join(words) == (
        "Human: <Img><patches></Img> Generate a comprehensive and detailed diagnosis report for this chest xray "
        "image. \nAssistant:"
    )
    chinese = system_prompt(kind, "zh", ("patches",))
    assert [s.source for s in chinese.segments] == [s.source for s in prompt.segments]
    assert chinese.instruction.startswith("请")
    assert prompt.with_instruction("Say nothing.").instruction == "Say nothing."


def test_other_systems_and_sources_take_the_default() -> None:
    assert system_prompt("llmrg", "zh", ("patches",)) == default_prompt("zh", ("patches",))
    sources = ("patches", "disease_queries")
    assert system_prompt("r2gengpt", "en", sources) == default_prompt("en", sources)


AMMRG = ("patches", "disease_queries", "visual_memory", "report_memory")


@pytest.mark.parametrize("sources", [AMMRG, AMMRG[:2], ("patches", "disease_queries", "report_memory")])
def test_ammrgs_vectors_stand_in_the_place_of_the_film(sources: tuple[str, ...]) -> None:
    prompt = system_prompt("ammrg", "en", sources)
    assert prompt.sources == sources
    texts = [segment.text for segment in prompt.segments if segment.text is not None]
    assert texts == ["Human: <Img>", "</Img> {instruction} \nAssistant:"]
    assert [prompt.segments[0].text, prompt.segments[-1].text] == texts
    assert prompt.instruction == system_prompt("r2gengpt", "en", ("patches",)).instruction
    more = (*sources, "diagnosis_hints")
    assert system_prompt("ammrg", "zh", more) == default_prompt("zh", more)
