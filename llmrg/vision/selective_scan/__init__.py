"""The selective scan of Mamba: one function, several implementations equal in values and gradients.

Source: Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", section 3.
"""

from llmrg.vision.selective_scan.scan import IMPLEMENTATIONS, available_implementations, selective_scan

__all__ = ["IMPLEMENTATIONS", "available_implementations", "selective_scan"]
