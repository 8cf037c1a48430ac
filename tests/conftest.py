"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

# Before torch and tokenizers are imported anywhere: pytest-xdist gives each core a worker of its own, and no test may
# reach a model hub.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, tests whose marker names something that this machine lacks."""
    missing = {}
    if any(item.get_closest_marker("gpu") for item in items) and not _has_gpu():
        missing["gpu"] = "no CUDA device"
    if any(item.get_closest_marker("java") for item in items) and not _has_java():
        missing["java"] = "java or pycocoevalcap is not installed"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real samples that ``LLMRG_TEST_DATA`` names; the test is skipped without it."""
    folder = os.environ.get("LLMRG_TEST_DATA")
    if not folder:
        pytest.skip("LLMRG_TEST_DATA is not set: the folder of real samples is not on this machine")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"LLMRG_TEST_DATA names a folder that does not exist: {path}")
    return path


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_java() -> bool:
    import importlib.util
    import shutil

    return shutil.which("java") is not None and importlib.util.find_spec("pycocoevalcap") is not None
