"""Configuration: YAML and overrides become exactly typed dataclasses, or one error that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.config import added_later, dump_config, load_config, load_mapping, to_mapping
from llmrg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    steps: int = 3
    mode: Literal["fast", "slow"] = "fast"

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError("steps cannot be negative")


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    path: Path | None = None
    inner: Inner = field(default_factory=Inner)
    sizes: tuple[int, ...] = ()
    pair: tuple[int, str] = (1, "a")
    table: Mapping[str, float] = field(default_factory=dict)
    anything: Any = None
    flag: bool = False
    parts: tuple[Inner, ...] = ()


def write(folder: Path, text: str, name: str = "c.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_values_get_their_types(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
name: 胸片
path: a/b
inner: {rate: 1, mode: slow}
sizes: [1, 2]
pair: [4, x]
table: {a: 1, b: 2.5}
anything: {deep: [1, null]}
parts:
  - {steps: 7}
""",
    )
    config = load_config(Outer, path)
    assert config == Outer(
        name="胸片",
        path=Path("a/b"),
        inner=Inner(rate=1.0, mode="slow"),
        sizes=(1, 2),
        pair=(4, "x"),
        table={"a": 1.0, "b": 2.5},
        anything={"deep": [1, None]},
        parts=(Inner(steps=7),),
    )
    assert isinstance(config.inner.rate, float)


def test_exponents_without_a_point_are_numbers(tmp_path: Path) -> None:
    assert load_config(Outer, write(tmp_path, "name: a\ninner: {rate: 1e-4}")).inner.rate == 1e-4
    assert load_config(Outer, None, ["name=a", "inner.rate=3e-5"]).inner.rate == 3e-5


def test_overrides_win_and_make_missing_parts(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\ninner: {rate: 0.1, steps: 1}")
    config = load_config(Outer, path, ["inner.steps=9", "table.x=2", "sizes=[3, 4]", "flag=true", "name=b=c"])
    assert config.inner == Inner(rate=0.1, steps=9)
    assert (config.table, config.sizes, config.flag, config.name) == ({"x": 2.0}, (3, 4), True, "b=c")


def test_extends_refines_the_other_file(tmp_path: Path) -> None:
    write(tmp_path, "name: base\ninner: {rate: 0.1, steps: 1}\nsizes: [1, 2]", "base.yaml")
    (tmp_path / "sub").mkdir()
    path = write(tmp_path / "sub", "extends: ../base.yaml\ninner: {steps: 2}\nsizes: [9]")
    config = load_config(Outer, path)
    assert config == Outer(name="base", inner=Inner(rate=0.1, steps=2), sizes=(9,))


def test_references_are_resolved_after_extending(tmp_path: Path) -> None:
    write(tmp_path, "name: base\npath: ${name}/x", "base.yaml")
    assert load_config(Outer, write(tmp_path, "extends: base.yaml\nname: mine")).path == Path("mine/x")
    assert load_mapping(write(tmp_path, "name: n\npath: ${name}"))["path"] == "n"


@pytest.mark.parametrize(
    ("text", "overrides", "expected"),
    [
        ("name: a\ninner: {stesp: 1}", [], ["inner.stesp", "Did you mean 'steps'?", "c.yaml"]),
        ("name: a", ["inner.mode=quick"], ["inner.mode", "fast, slow"]),
        ("name: a\ninner: {steps: 1.5}", [], ["inner.steps", "int", "1.5"]),
        ("name: a\ninner: {steps: true}", [], ["inner.steps", "int"]),
        ("name: a\nflag: 1", [], ["flag", "bool"]),
        ("name: a\nsizes: 3", [], ["sizes", "list"]),
        ("name: a\nsizes: [1, b]", [], ["sizes[1]"]),
        ("name: a\npair: [1]", [], ["pair", "2 entries"]),
        ("name: a\ntable: [1]", [], ["table", "mapping"]),
        ("name: a\ninner: 3", [], ["inner", "mapping"]),
        ("name: a\nparts: [{steps: -1}]", [], ["parts[0]", "negative"]),
        ("flag: true", [], ["Missing", "name"]),
        ("- 1", [], ["mapping"]),
        ("name: [", [], ["YAML"]),
        ("name: ${nowhere}", [], ["reference", "nowhere"]),
        ("name: a", ["inner.steps"], ["inner.steps", "key.sub=value"]),
        ("name: a", ["=1"], ["override"]),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, overrides: list[str], expected: list[str]) -> None:
    with pytest.raises(UserError) as raised:
        load_config(Outer, write(tmp_path, text), overrides)
    for part in expected:
        assert part in str(raised.value)


def test_a_missing_file_lists_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, "name: a", "chexpert.yaml")
    with pytest.raises(UserError, match=r"chexpert\.yaml"):
        load_config(Outer, tmp_path / "chexprt.yaml")


def test_a_circle_of_extends_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "extends: b.yaml", "a.yaml")
    write(tmp_path, "extends: a.yaml", "b.yaml")
    with pytest.raises(UserError, match="extends itself"):
        load_config(Outer, tmp_path / "a.yaml")


def test_a_mapping_inside_can_extend_a_file_of_its_own(tmp_path: Path) -> None:
    """Each path is relative to the file that writes it, however deep it stands."""
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts", "rate: 0.1\nsteps: 1", "slowest.yaml")
    write(tmp_path / "parts", "extends: slowest.yaml\nmode: slow", "slow.yaml")
    write(tmp_path, "name: base\ninner: {extends: parts/slow.yaml, steps: 5}", "base.yaml")
    (tmp_path / "sub").mkdir()
    path = write(tmp_path / "sub", "extends: ../base.yaml\ninner: {rate: 0.2}\ntable: {a: 1}")
    assert load_config(Outer, path) == Outer(name="base", inner=Inner(rate=0.2, steps=5, mode="slow"), table={"a": 1.0})


def test_an_inner_extends_adds_to_what_the_outer_file_brings(tmp_path: Path) -> None:
    write(tmp_path, "name: base\ninner: {rate: 0.1, steps: 1}", "base.yaml")
    write(tmp_path, "steps: 8", "inner.yaml")
    path = write(tmp_path, "extends: base.yaml\ninner: {extends: inner.yaml, mode: slow}")
    assert load_config(Outer, path).inner == Inner(rate=0.1, steps=8, mode="slow")


def test_mappings_in_lists_extend_too(tmp_path: Path) -> None:
    write(tmp_path, "rate: 0.1\nsteps: 4", "part.yaml")
    path = write(tmp_path, "name: a\nparts: [{extends: part.yaml, steps: 7}, {steps: 2}]")
    assert load_config(Outer, path).parts == (Inner(rate=0.1, steps=7), Inner(steps=2))


def test_later_files_of_a_list_win(tmp_path: Path) -> None:
    write(tmp_path, "name: one\ninner: {rate: 0.1, steps: 1}", "one.yaml")
    write(tmp_path, "name: two\ninner: {steps: 2}", "two.yaml")
    path = write(tmp_path, "extends: [one.yaml, two.yaml]\nflag: true")
    assert load_config(Outer, path) == Outer(name="two", inner=Inner(rate=0.1, steps=2), flag=True)


def test_one_file_may_be_extended_twice_but_not_by_itself(tmp_path: Path) -> None:
    write(tmp_path, "steps: 3", "part.yaml")
    path = write(tmp_path, "name: a\ninner: {extends: part.yaml}\nparts: [{extends: part.yaml}]")
    assert load_config(Outer, path) == Outer(name="a", inner=Inner(steps=3), parts=(Inner(steps=3),))
    write(tmp_path, "name: a\ninner: {extends: d.yaml}", "d.yaml")
    with pytest.raises(UserError, match="extends itself"):
        load_config(Outer, tmp_path / "d.yaml")


@pytest.mark.parametrize("bad", ["5", "null", "{a: b}", "[1]", "true"])
def test_extends_must_name_files(tmp_path: Path, bad: str) -> None:
    for text in (f"name: a\nextends: {bad}", f"name: a\ninner: {{extends: {bad}}}"):
        with pytest.raises(UserError, match="extends must name"):
            load_config(Outer, write(tmp_path, text))
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        load_config(Outer, write(tmp_path, "name: a\ninner: {extends: nowhere.yaml}"))


# Control characters and lone surrogates are not text that YAML holds.
words = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="$\\\u2028\u2029\ufeff\x85"))


@given(
    name=words,
    rate=st.floats(allow_nan=False, allow_infinity=False),
    steps=st.integers(min_value=0, max_value=10**9),
    sizes=st.lists(st.integers(), max_size=4),
    flag=st.booleans(),
    path=st.none() | st.sampled_from([Path("a"), Path("b/c.json")]),
)
def test_what_is_written_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    rate: float,
    steps: int,
    sizes: list[int],
    flag: bool,
    path: Path | None,
) -> None:
    config = Outer(name=name, path=path, inner=Inner(rate=rate, steps=steps), sizes=tuple(sizes), flag=flag)
    file = write(tmp_path_factory.mktemp("dump"), dump_config(config))
    assert load_config(Outer, file) == config


def test_mapping_is_plain() -> None:
    assert to_mapping(Outer(name="a", path=Path("p"), parts=(Inner(),))) == {
        "name": "a",
        "path": "p",
        "inner": {"rate": 0.5, "steps": 3, "mode": "fast"},
        "sizes": [],
        "pair": [1, "a"],
        "table": {},
        "anything": None,
        "flag": False,
        "parts": [{"rate": 0.5, "steps": 3, "mode": "fast"}],
    }


@dataclass(frozen=True, kw_only=True)
class Grown:
    old: int = 1
    new: int = added_later(2)
    inner: Inner = added_later(Inner)  # noqa: RUF009 (a field)


def test_what_was_added_later_is_written_only_where_it_differs(tmp_path: Path) -> None:
    assert to_mapping(Grown()) == {"old": 1}
    changed = Grown(new=3, inner=Inner(steps=4))
    assert to_mapping(changed) == {"old": 1, "new": 3, "inner": {"rate": 0.5, "steps": 4, "mode": "fast"}}
    for number, config in enumerate((Grown(), changed)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(dump_config(config))
        assert load_config(Grown, path) == config
