"""Which scales a table has, from small to large, and how big they are."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from analysis.errors import TableError
from analysis.table.options import TableOptions
from analysis.table.tidy import numbers, one_value_each


def order_scales(
    tidy: pd.DataFrame, options: TableOptions
) -> tuple[tuple[str, ...], Mapping[str, float] | None, list[str]]:
    """Sort scales by size, else by the order given, else by name with a warning."""
    found = sorted(tidy["scale"].unique())
    if len(found) == 1:
        note = f"there is one scale only, {found[0]}: what transfers across scale takes two"
        order, sizes, _ = _order(tidy, found, options)
        return order, sizes, [note]
    return _order(tidy, found, options)


def _order(
    tidy: pd.DataFrame, found: list[str], options: TableOptions
) -> tuple[tuple[str, ...], Mapping[str, float] | None, list[str]]:
    refuse_unknown(options.scale_order, found, option="--scale-order")
    refuse_unknown(options.scale_sizes, found, option="--scale-size")
    sizes = dict(options.scale_sizes)
    if not sizes and "scale_size" in tidy.columns:
        column = numbers(tidy, "scale_size", required=False)
        sizes = dict(one_value_each(tidy, "scale", "scale_size", column))
    _refuse_incomplete(sizes, found, option="--scale-size")
    _refuse_incomplete(options.scale_order, found, option="--scale-order")
    for scale, size in sizes.items():
        if size <= 0:
            raise TableError(f"--scale-size: {scale}={size} must be above 0 (10^9 parameters).")
    order = options.scale_order or found
    if not sizes:
        note = "scales are sorted by name; give --scale-order or --scale-size to be sure"
        return tuple(order), None, [] if options.scale_order else [note]
    scales = tuple(sorted(order, key=lambda scale: sizes[scale]))
    clash = options.scale_order and scales != options.scale_order
    return scales, sizes, ["scales are sorted by size, not by --scale-order"] if clash else []


def costs_of(options: TableOptions, scales: tuple[str, ...]) -> Mapping[str, float] | None:
    """Return scale -> cost as --scale-cost says; None where it doesn't."""
    refuse_unknown(options.scale_costs, list(scales), option="--scale-cost")
    _refuse_incomplete(options.scale_costs, list(scales), option="--scale-cost")
    for scale, cost in options.scale_costs.items():
        if cost <= 0:
            raise TableError(f"--scale-cost: {scale}={cost:g} must be above 0 (any unit).")
    return dict(options.scale_costs) or None


def refuse_unknown(names: Iterable[str], known: list[str], *, option: str) -> None:
    """Raise TableError on the first name that the table lacks; `known` is what it has."""
    for name in names:
        if name not in known:
            raise TableError(f"{option}: no {name!r} in the table; it has: {', '.join(known)}.")


def _refuse_incomplete(names: Iterable[str], found: list[str], *, option: str) -> None:
    given = set(names)
    absent = [scale for scale in found if scale not in given]
    if given and absent:
        raise TableError(f"{option}: no value for {', '.join(absent)}; give all scales or none.")
