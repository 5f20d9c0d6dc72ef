"""What a study's report.json says on a contrast, and on small scales beside the largest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import TableError
from analysis.paper_findings.claims import Contrast
from analysis.paper_findings.weighing import Agreement, weigh

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """A level less the base, in points, at the largest scale.

    Attributes:
        effect: the difference.
        ci: its 95 % interval, not adjusted for the number of effects; None where it has no error.
        p: after Holm's correction; None likewise.
        error: what the interval is taken over, e.g. seeds and items.
        at_scales: how the effect stands at every scale, smallest first.
        agreement: with the paper.
    """

    effect: float
    ci: tuple[float, float] | None
    p: float | None
    error: tuple[str, ...]
    at_scales: tuple[float, ...]
    agreement: Agreement


@dataclass(frozen=True)
class Proxy:
    """How a smaller scale stands for the largest one."""

    scale: str
    size: float
    n: int
    r2: float
    r2_ci: tuple[float, float] | None
    decision_accuracy: float
    verdict: str


def read_report(folder: Path) -> Report:
    """The report.json of a study's folder.

    Raises:
        TableError: there is none, or it is none.
    """
    path = folder / "report.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: not the report.json of a report ({error})") from error


def shown(report: Report, metric: str, contrast: Contrast) -> Shown | None:
    """What the report says on the contrast; None where it has no such level."""
    scales = [entry["scale"] for entry in report["scales"]]
    found = {
        entry["scale"]: entry
        for axis in report["effects"]
        if (axis["metric"], axis["axis"]) == (metric, contrast.axis)
        for entry in axis["effects"]
        if entry["level"] == contrast.level
    }
    last = found.get(scales[-1])
    if last is None or last["effect"] is None:
        return None
    unit = _points(report, metric)
    return Shown(
        last["effect"] * unit,
        _scaled(last["ci"], unit),
        last["p_holm"],
        tuple(last["error"]),
        tuple(found[scale]["effect"] * unit for scale in scales if scale in found),
        weigh(last["effect"], last["p_holm"], contrast.direction),
    )


def proxies(report: Report, metric: str) -> list[Proxy]:
    """Every smaller scale beside the largest, smallest first."""
    return [
        Proxy(
            entry["proxy"],
            entry["size"],
            entry["n"],
            entry["r2"],
            _scaled(entry["r2_ci_believed"] or entry["r2_ci"], 1.0),
            entry["decision_accuracy"],
            entry["verdict"],
        )
        for entry in report["proxies"]
        if entry["metric"] == metric
    ]


def _points(report: Report, metric: str) -> float:
    """What a unit of the metric is in points of accuracy."""
    (unit,) = (entry["unit"] for entry in report["metrics"] if entry["metric"] == metric)
    return 1.0 if unit == "points" else 100.0


def _scaled(ends: Any, unit: float) -> tuple[float, float] | None:
    return None if ends is None else (ends[0] * unit, ends[1] * unit)
