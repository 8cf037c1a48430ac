"""Lets torchvision's registry build be imported beside a CPU-only torch.

The fault: torchvision's wheel on the ordinary package registries is compiled for CUDA. Beside a CPU-only torch its
compiled part does not load, the operators it would define are missing, and ``import torchvision`` ends in
``RuntimeError: operator torchvision::nms does not exist``. timm imports torchvision, and transformers, peft and the
``accelerate`` command import it wherever it is installed, so all of them fail too.

The mend: this module and ``llmrg_torchvision.pth``, which calls :func:`install` at interpreter start, are put into
site-packages by installing llmrg (see ``force-include`` in ``pyproject.toml``). At interpreter start nothing but this
file is imported. When torchvision is first imported, the import runs as it is; only if it fails in the way above are
the two missing operator schemas defined and the import run once more. So nothing at all happens where torchvision is
healthy (torch with CUDA, or both from an index with CPU builds). Image models, transforms and datasets then work;
``torchvision.ops.nms`` itself has no kernel and still raises, and so does ``torchvision.io``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # instead of importing typing at every interpreter start
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

__all__ = ["TorchvisionFinder", "install"]

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
OPERATORS = ("nms", "qnms")
SYMPTOM = "operator torchvision::"

_libraries: list[Any] = []  # torch withdraws the schemas when the library object is collected


class TorchvisionFinder:
    """A meta-path finder that answers for the name ``torchvision`` alone, and finds what the other finders find."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return torchvision's own spec with a loader that mends the one known fault; None for every other name."""
        if name != "torchvision":
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    setattr(spec.loader, "exec_module", _mended(spec.loader.exec_module))  # noqa: B010
                return spec
        return None


def install() -> None:
    """Put the finder in front of the others, once."""
    if not any(isinstance(finder, TorchvisionFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionFinder())


def _mended(exec_module: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def exec_with_operators(module: ModuleType) -> None:
        fresh = dict(module.__dict__)
        try:
            exec_module(module)
        except RuntimeError as error:
            if SYMPTOM not in str(error) or _libraries:
                raise
            for name in [name for name in sys.modules if name.startswith("torchvision.")]:
                del sys.modules[name]
            module.__dict__.clear()
            module.__dict__.update(fresh)
            _define_operators()
            exec_module(module)

    return exec_with_operators


def _define_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in OPERATORS:
        library.define(operator + SCHEMA)
    _libraries.append(library)
