"""VMamba trunks: a pyramid of maps, each read by selective scans in four directions."""

from llmrg.vision.vmamba.registry import VMAMBA_TRUNKS, build_vmamba_trunk

__all__ = ["VMAMBA_TRUNKS", "build_vmamba_trunk"]
