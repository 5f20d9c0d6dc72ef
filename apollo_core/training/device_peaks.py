"""What accelerators can do at most: dense FLOPs per second by the name that torch gives them.

From the vendors' data sheets, in TFLOP/s: bfloat16 on tensor cores without sparsity, and float32
outside tensor cores (stages in float32 don't use TF32). NVIDIA: H100 (SXM5 and PCIe), H200, A100,
L40S, L4 and A10 data sheets; Ada and Ampere GA102 architecture white papers for the RTX cards.
Where a device clocks down under load, utilisation is of the peak all the same.
"""

from __future__ import annotations

import re

from apollo_core.stages.identity import Precision

# Name pattern -> (bfloat16, float32); the first that fits.
_PEAKS: dict[str, tuple[float, float]] = {
    r"H200\b": (989.4, 66.9),
    r"H100 PCIe\b": (756.0, 51.2),
    r"H100\b": (989.4, 66.9),
    r"A100\b": (312.0, 19.5),
    r"L40S\b": (362.0, 91.6),
    r"L4\b": (121.0, 30.3),
    r"A10\b": (125.0, 31.2),
    r"RTX 4090\b": (165.2, 82.6),
    r"RTX 3090\b": (71.0, 35.6),
}


def peak_flops(device: str, precision: Precision) -> float | None:
    """Dense peak per second of the device of that name; None where it is not known."""
    for pattern, (half, single) in _PEAKS.items():
        if re.search(pattern, device):
            return 1e12 * (half if precision == "bfloat16" else single)
    return None
