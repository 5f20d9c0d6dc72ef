"""How to read a table: which columns hold what, how the scales are ordered, which way is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.errors import TableError


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Where a table keeps what; the defaults read the tidy score table of this project.

    Attributes:
        design: columns that together name a design; more than one of them are also its axes.
        scale: column that names the model size.
        scores: columns of scores, one metric each. Empty: the tidy form (`metric`, `score`).
        blocks: columns whose values group designs, as a data mixture, for within-block statistics.
        seed: column of replicates. None: the column `seed` where there is one.
        axes: columns that hold an axis' levels. Empty: found from the table.
        scale_order: scales from small to large; used where no sizes are known.
        scale_sizes: scale -> size, billions of parameters.
        scale_costs: scale -> what a run costs, any unit, where size says it badly.
        data_size: column of amounts of training data, to look for a plateau over. None: axes whose
            name says so.
        chance: metric -> score of a guesser, in the metric's own units.
        lower_is_better: metrics of which the lowest score is the best (a loss); True: all.
        tie_band: differences up to this, in the metrics' units, count as ties in the banded
            decision accuracy; 0 leaves it at exact ties.
    """

    design: tuple[str, ...] = ("design",)
    scale: str = "scale"
    scores: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    seed: str | None = None
    axes: tuple[str, ...] = ()
    scale_order: tuple[str, ...] = ()
    scale_sizes: Mapping[str, float] = field(default_factory=dict[str, float])
    scale_costs: Mapping[str, float] = field(default_factory=dict[str, float])
    data_size: str | None = None
    chance: Mapping[str, float] = field(default_factory=dict[str, float])
    lower_is_better: bool | tuple[str, ...] = False
    tie_band: float = 0.0

    @classmethod
    def parse(
        cls,
        *,
        design: str | None = None,
        scale: str | None = None,
        score: str | None = None,
        block: str | None = None,
        seed: str | None = None,
        scale_order: str | None = None,
        scale_size: str | None = None,
        scale_cost: str | None = None,
        data_size: str | None = None,
        chance: str | None = None,
        lower_is_better: bool | str | None = False,
        tie_band: float = 0.0,
    ) -> TableOptions:
        """Build options from command-line text: `a,b` for lists, `a=0.5,b=1.5` for numbers.

        An option left out (None) keeps its default. `lower_is_better` names metrics; True or ""
        stands for all of them.

        Raises:
            TableError: an entry is empty or repeated, or a number is not one.
        """
        return cls(
            design=split_names(design, option="--design") or ("design",),
            scale=_one_name(scale, option="--scale") or "scale",
            scores=split_names(score, option="--score"),
            blocks=split_names(block, option="--block"),
            seed=_one_name(seed, option="--seed"),
            scale_order=split_names(scale_order, option="--scale-order"),
            scale_sizes=split_numbers(scale_size, option="--scale-size"),
            scale_costs=split_numbers(scale_cost, option="--scale-cost"),
            data_size=_one_name(data_size, option="--data-size"),
            chance=split_numbers(chance, option="--chance"),
            lower_is_better=(
                split_names(lower_is_better, option="--lower-is-better")
                if isinstance(lower_is_better, str) and lower_is_better
                else lower_is_better in (True, "")
            ),
            tie_band=_at_least_0(tie_band, option="--tie-band"),
        )


def split_names(text: str | None, *, option: str) -> tuple[str, ...]:
    """Split `a,b` into names; None gives (). Raises TableError on an empty or repeated name."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if "" in names:
        raise TableError(f"{option}: an empty name in {text!r}; write names as a,b,c.")
    _refuse_repeats(names, text, option)
    return names


def split_numbers(text: str | None, *, option: str) -> dict[str, float]:
    """Split `a=0.5,b=1.5` into a dict; None gives {}. Raises TableError on what is not a number."""
    if text is None:
        return {}
    pairs = [_split_number(entry, option) for entry in text.split(",")]
    _refuse_repeats(tuple(name for name, _ in pairs), text, option)
    return dict(pairs)


def _split_number(entry: str, option: str) -> tuple[str, float]:
    """Split `name=0.5` at its last equals sign, since a name may hold one itself."""
    name, equals, text = entry.rpartition("=")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not equals or not name.strip() or not math.isfinite(number):
        raise TableError(f"{option}: {entry.strip()!r} is not NAME=NUMBER; write a=0.5,b=1.5.")
    return name.strip(), number


def _at_least_0(value: float, *, option: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise TableError(f"{option}: {value} must be 0 or more, in the metric's units.")
    return value


def _one_name(text: str | None, *, option: str) -> str | None:
    names = split_names(text, option=option)
    if len(names) > 1:
        raise TableError(f"{option}: takes one column, got {text!r}.")
    return names[0] if names else None


def _refuse_repeats(names: tuple[str, ...], text: str, option: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise TableError(f"{option}: {name!r} stands twice in {text!r}.")
