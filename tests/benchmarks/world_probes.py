"""Print what can be told of the microworld's films in principle (docs/laboratory.md).

    python tests/benchmarks/world_probes.py --films 400

Every figure is the share of questions that a reader answers right who knows the film's plan as far
as the chosen frames, or a pooled frame, show it; chance is 25 %.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from statistics import mean

import numpy as np

from apollo_core.design import FpsSampling, Sampling, UniformSampling
from apollo_core.microworld.chance import Split
from apollo_core.microworld.film import Film, plan_film
from apollo_core.microworld.items import Item, make_items
from apollo_core.microworld.probes.reading import IN_SPACE, chance_in_space, chance_in_time
from apollo_core.microworld.probes.reading_grids import legible
from apollo_core.microworld.probes.sights import Sight, look, look_once
from apollo_core.microworld.spec import WorldSpec

Chances = dict[str, dict[str, float]]


def fps(rate: float, clips: int = 99) -> FpsSampling:
    """Clips of four frames."""
    return FpsSampling(mode="fps", fps=rate, frames_per_clip=4, max_clips=clips)


def uniform(frames: int) -> UniformSampling:
    """Spread over the film."""
    return UniformSampling(mode="uniform", frames=frames, frames_per_clip=4)


def seen_by(sampling: Sampling, *, times: bool, ordered: bool = True) -> Callable[[Film], Sight]:
    """What a sampling shows of any film."""
    return lambda film: look(film, sampling, times=times, ordered=ordered)


SIGHTS: Mapping[str, Callable[[Film], Sight]] = {
    "fps 2": seen_by(fps(2), times=True),
    "fps 1": seen_by(fps(1), times=True),
    "uniform 4": seen_by(uniform(4), times=True),
    "uniform 8": seen_by(uniform(8), times=True),
    "uniform 16": seen_by(uniform(16), times=True),
    "fps 2, 4 clips": seen_by(fps(2, 4), times=True),
    "fps 2, untold": seen_by(fps(2), times=False),
    "fps 2, 4 clips, untold": seen_by(fps(2, 4), times=False),
    "uniform 8, untold": seen_by(uniform(8), times=False),
    "fps 2, shuffled": seen_by(fps(2), times=True, ordered=False),
    "one frame": look_once,
}
CELLS = (1, 2, 3, 4, 6, 8)


def in_time(plans: Iterable[tuple[Film, list[Item]]]) -> Chances:
    """Family -> sight -> mean chance."""
    chances: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for film, items in plans:
        sights = {name: see(film) for name, see in SIGHTS.items()}
        for item in items:
            if item.question.family not in IN_SPACE:
                for name, sight in sights.items():
                    chances[item.question.family][name].append(chance_in_time(sight, item))
    return _means(chances)


def in_space(plans: Iterable[tuple[Film, list[Item]]]) -> Chances:
    """Family -> tokens of a frame -> mean chance."""
    chances: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for film, items in plans:
        for item in items:
            if item.question.family in IN_SPACE:
                for cells in CELLS:
                    chance = chance_in_space(film, item, cells)
                    chances[item.question.family][str(cells**2)].append(chance)
    glyphs = {
        f"a {what}, of {count}": {
            str(n**2): legible(what, n, rng=np.random.default_rng(0)) for n in CELLS
        }
        for what, count in (("digit", "ten"), ("shape", "four"))
    }
    return {**_means(chances), **glyphs}


def planned(films: int, spec: WorldSpec) -> list[tuple[Film, list[Item]]]:
    """Films of the benchmark with their questions."""
    plans = [plan_film(spec, Split.BENCH, i) for i in range(films)]
    return [(film, make_items(film, focus, spec.seed, i)) for i, (film, focus) in enumerate(plans)]


def table(chances: Chances) -> str:
    """Markdown, in per cent."""
    columns = list(next(iter(chances.values())))
    lines = ["| family | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for family, row in chances.items():
        cells = " | ".join(f"{100 * row[column]:.0f}" for column in columns)
        lines.append(f"| {family} | {cells} |")
    return "\n".join(lines)


def _means(chances: Mapping[str, Mapping[str, list[float]]]) -> Chances:
    return {
        family: {name: mean(values) for name, values in row.items()}
        for family, row in chances.items()
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=400)
    plans = planned(parser.parse_args().films, WorldSpec())
    print(table(in_time(plans)), table(in_space(plans)), sep="\n\n")


if __name__ == "__main__":
    main()
