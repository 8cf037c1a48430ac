"""Mamba trunks: patches read by selective scans in one, two or four directions."""

from llmrg.vision.mamba.registry import MAMBA_TRUNKS, build_mamba_trunk

__all__ = ["MAMBA_TRUNKS", "build_mamba_trunk"]
