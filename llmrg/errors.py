"""The errors llmrg raises on purpose, and how they read."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable

__all__ = [
    "BadStudyError",
    "LlmrgError",
    "StoppedBySignalError",
    "TooManyBadStudiesError",
    "UserError",
    "nearest_spelling",
]


class LlmrgError(Exception):
    """Base of every error that llmrg raises on purpose."""


class UserError(LlmrgError):
    """A mistake the user can mend; commands print it as one message and exit with code 2.

    Args:
        what: what is wrong, in one sentence.
        where: the file, key or argument concerned.
        allowed: the values that would have been accepted.
        got: the value found; with ``allowed`` it yields the nearest spelling.
        next_step: what to do about it.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        allowed: Iterable[str] | None = None,
        got: str | None = None,
        next_step: str | None = None,
    ) -> None:
        choices = None if allowed is None else [str(choice) for choice in allowed]
        parts = [what.rstrip(".") + "."]
        if where:
            parts.append(f"Where: {where}.")
        if choices is not None:
            parts.append(f"Allowed: {', '.join(choices)}.")
            hint = nearest_spelling(got, choices) if got else None
            if hint:
                parts.append(f"Did you mean {hint!r}?")
        if next_step:
            parts.append(f"Next step: {next_step.rstrip('.')}.")
        super().__init__(" ".join(parts))


class BadStudyError(LlmrgError):
    """One study cannot be used; it is named, counted and set aside, and the run goes on.

    Args:
        study_id: the study concerned.
        reason: why, in one sentence, naming the file (never report text or a DICOM header).
    """

    def __init__(self, study_id: str, reason: str) -> None:
        self.study_id = study_id
        self.reason = reason
        super().__init__(f"study {study_id!r}: {reason}")

    def __reduce__(self) -> tuple[type[BadStudyError], tuple[str, str]]:
        """Let the error travel out of a data loading process."""
        return type(self), (self.study_id, self.reason)


class TooManyBadStudiesError(UserError):
    """More studies were set aside than the configuration tolerates."""


class StoppedBySignalError(SystemExit):
    """A signal ended the work; what was saved is whole. The exit code is 128 + the signal's number.

    Args:
        number: of the signal.
        done: how far the work had come, as a clause.
        next_step: how to go on.
    """

    def __init__(self, number: int, *, done: str = "", next_step: str = "") -> None:
        self.number = number
        parts = [f"Stopped by {signal.Signals(number).name}", *([done] if done else [])]
        self.message = ", ".join(parts) + (f"; {next_step}." if next_step else ".")
        super().__init__(128 + number)

    def __str__(self) -> str:
        """The one line for the user."""
        return self.message


def nearest_spelling(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that looks most like ``word``, or None if none is close."""
    matches = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return matches[0] if matches else None
