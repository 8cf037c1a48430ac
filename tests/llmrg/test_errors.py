"""One message says what, where, allowed, the nearest spelling and the next step."""

from __future__ import annotations

import pytest

from llmrg.errors import BadStudyError, LlmrgError, TooManyBadStudiesError, UserError, nearest_spelling


def test_message_holds_every_part_in_order() -> None:
    error = UserError(
        "Unknown key 'epcohs'.",
        where="a.yaml",
        allowed=["epochs", "batch"],
        got="epcohs",
        next_step="correct it.",
    )
    assert str(error) == (
        "Unknown key 'epcohs'. Where: a.yaml. Allowed: epochs, batch. Did you mean 'epochs'? Next step: correct it."
    )


def test_message_leaves_out_what_is_not_known() -> None:
    assert str(UserError("No space")) == "No space."
    assert "Did you mean" not in str(UserError("Bad", allowed=["alpha"], got="zzz"))


def test_allowed_may_be_read_only_once() -> None:
    assert "Did you mean 'train'?" in str(UserError("Bad", allowed=iter(["train", "test"]), got="trian"))


def test_user_errors_end_with_code_2() -> None:
    assert UserError("x").exit_code == 2
    assert isinstance(TooManyBadStudiesError("x"), UserError)
    assert isinstance(BadStudyError("s", "r"), LlmrgError)
    assert not isinstance(BadStudyError("s", "r"), UserError)


def test_a_bad_study_is_named() -> None:
    error = BadStudyError("study-7", "film a.png is empty")
    assert (error.study_id, error.reason) == ("study-7", "film a.png is empty")
    assert "study-7" in str(error)
    assert "a.png is empty" in str(error)


@pytest.mark.parametrize(("word", "expected"), [("frontl", "frontal"), ("LATERAL", None), ("", None)])
def test_nearest_spelling(word: str, expected: str | None) -> None:
    assert nearest_spelling(word, ["frontal", "lateral"]) == expected
