"""Signals end the work at once, or after the step; a second one always at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from llmrg.errors import StoppedBySignalError
from llmrg.pretraining import signals


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_outside_of_a_loop_it_leaves_at_once(number: int) -> None:
    before = signal.getsignal(number)
    line = r"Stopped by SIG.*; go on with the same command and --resume"
    with pytest.raises(StoppedBySignalError, match=line) as it, signals.catch_signals():
        send(number)
        pytest.fail("went on")
    assert it.value.code == 128 + number
    assert signal.getsignal(number) == before
    assert signals.requested() is None


def test_inside_of_a_loop_it_is_noted(capfd: pytest.CaptureFixture[str]) -> None:
    done = []
    with pytest.raises(StoppedBySignalError), signals.catch_signals(), signals.deferred():
        assert signals.requested() is None
        send()
        assert signals.requested() == signal.SIGTERM
        done.append("step")
    assert done == ["step"]
    assert "SIGTERM: finishing the step and saving" in capfd.readouterr().err


def test_validation_is_left_at_once_also_for_a_signal_from_before() -> None:
    with signals.catch_signals(), signals.deferred():
        with pytest.raises(StoppedBySignalError), signals.immediate():
            send()
            pytest.fail("went on")
        with pytest.raises(StoppedBySignalError), signals.immediate():
            pytest.fail("began")
        with signals.immediate(False):
            pass
        signals._state.requested = None  # somebody acted on it


def test_ignored_signals_and_other_threads_are_left_alone() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with signals.catch_signals():
            send(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    seen = []

    def work() -> None:
        with signals.catch_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


SECOND = """
import os, signal, sys, time
from llmrg.pretraining import signals
with signals.catch_signals(), signals.deferred():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
"""
WORKER = """
import os, signal, sys
from llmrg.pretraining import signals
signals.keep_working(0)
os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGTERM)
print("works on", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("still there", flush=True)
"""


@pytest.mark.parametrize(("script", "code", "out"), [(SECOND, 143, ""), (WORKER, -signal.SIGTERM, "works on\n")])
def test_a_second_signal_ends_at_once(script: str, code: int, out: str) -> None:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, out), done.stderr
