"""The study's training schedules as presets: which module learns at which rate in which stage.

A preset holds rates alone: data, samples and batch size are the sweep file's. The 17 rows of the
study's table 12 are `table12-row-N`; the seven schedules of its table 3 are the best row of each
kind under a name that says where the vision encoders learn (`NAMED`).

A stage is called `sft` where the language model learns, `vision` where the vision encoders do and
it is frozen, `align` where the connector learns alone. The study trains the stages with a frozen
language model on videos with captions only, and those that train it on its mixture.

Source: Apollo (arXiv 2412.10360v1), tables 3 and 12.
"""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """One stage: peak learning rate of each module; 0 = frozen."""

    name: str
    vision: float
    connector: float
    llm: float


Schedule = tuple[Stage, ...]

_ALIGN = Stage("align", 0, 1e-4, 0)
_SFT = Stage("sft", 0, 1e-4, 3e-5)


def _vision(rate: float) -> Stage:
    return Stage("vision", rate, 1e-4, 0)


def _all(rate: float) -> Stage:
    return Stage("sft", rate, 1e-4, 3e-5)


TABLE_12: dict[str, Schedule] = {
    "table12-row-1": (_SFT,),
    "table12-row-2": (_all(1e-6),),
    "table12-row-3": (_all(5e-6),),
    "table12-row-4": (_all(1e-5),),
    "table12-row-5": (_ALIGN, _SFT),
    "table12-row-6": (_vision(1e-6), _SFT),
    "table12-row-7": (_vision(5e-6), _SFT),
    "table12-row-8": (_vision(1e-5), _SFT),
    "table12-row-9": (_vision(1e-6), _all(1e-6)),
    "table12-row-10": (_vision(5e-6), _all(5e-6)),
    "table12-row-11": (_vision(1e-5), _all(1e-5)),
    "table12-row-12": (_ALIGN, _vision(1e-6), _SFT),
    "table12-row-13": (_ALIGN, _vision(5e-6), _SFT),
    "table12-row-14": (_ALIGN, _vision(1e-5), _SFT),
    "table12-row-15": (_ALIGN, _vision(1e-6), _all(1e-6)),
    # As printed. The rows beside it keep one vision rate through all stages, so that 5e-5 is
    # probably a misprint for 5e-6.
    "table12-row-16": (_ALIGN, _vision(5e-6), _all(5e-5)),
    "table12-row-17": (_ALIGN, _vision(1e-5), _all(1e-5)),
}

# Table 3 in its order -> the row of table 12 whose scores it prints, the best of its kind.
NAMED: dict[str, str] = {
    "one-stage-frozen-vision": "table12-row-1",
    "one-stage-trained-vision": "table12-row-2",
    "two-stage-frozen-vision": "table12-row-5",
    "two-stage-vision-first": "table12-row-7",
    "two-stage-trained-vision": "table12-row-9",
    "three-stage-vision-second": "table12-row-13",  # the study's choice
    "three-stage-vision-from-second": "table12-row-15",
}

SCHEDULES: dict[str, Schedule] = {
    **TABLE_12,
    **{name: TABLE_12[row] for name, row in NAMED.items()},
}
