"""The README of an exported variant: scores, recipe, provenance; the licence is left open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.results.score_table import Score

HEAD = """\
---
# Yours to fill: the licence of this model. Those of the language model, the encoders and the data
# that it was made of all bind it.
license: other
library_name: transformers
pipeline_tag: video-text-to-text
tags: [apollo-sweeps, video]
---
"""

INTRODUCTION = """\
A video language model: a variant of the sweep `{sweep}`, exported by Apollo Sweeps. The folder
holds all of its weights, the vision encoders' included. Loading it needs the package `apollo_core`
(`pip install 'apollo-sweeps[sweep]'`) and runs no code from here.
"""

USE = """\
```python
import apollo_core  # makes the model known to transformers
from transformers import AutoModelForImageTextToText, AutoProcessor

folder = "."  # where this file lies
model = AutoModelForImageTextToText.from_pretrained(folder)
processor = AutoProcessor.from_pretrained(folder)
print(model.answer(processor, "What happens in the video?", "video.mp4"))
```

`processor(text=..., videos=...)` gives the inputs of `model.generate`, of one question or several;
`model.judge` answers multiple-choice questions as was done for the scores.
"""


@dataclass(frozen=True)
class Stage:
    """One stage behind the model: what it is called, its key, its settings, where it was made."""

    label: str
    key: str
    settings: Mapping[str, JsonValue]
    provenance: Mapping[str, JsonValue]


def model_card(
    title: str,
    *,
    sweep: str,
    design: Mapping[str, JsonValue],
    parts: Mapping[str, str],
    scores: Sequence[Score],
    stages: Sequence[Stage],
) -> str:
    """The whole text.

    Args:
        title: the variant's id.
        sweep: name of the sweep.
        design: as resolved.
        parts: role -> what it started from.
        scores: of all evaluations.
        stages: in the order they ran, evaluations last.
    """
    return "\n".join(
        [
            HEAD,
            f"# {title}",
            "",
            INTRODUCTION.format(sweep=sweep),
            "## Use",
            "",
            USE,
            "## Scores",
            "",
            *_table(
                ("metric", "score", "items", "guessing"),
                (
                    (f"`{s.metric}`", f"{s.score:.2f}", str(s.n_items), f"{s.chance:.2f}")
                    for s in scores
                ),
            ),
            "",
            "Per cent of the questions answered rightly; `overall` is the unweighted mean of the",
            "categories, `guessing` what chance would score.",
            "",
            "## Recipe",
            "",
            *_table(("part", "started from"), ((k, f"`{v}`") for k, v in parts.items())),
            "",
            "The design, as resolved:",
            "",
            "```json",
            json.dumps(design, indent=1),
            "```",
            "",
            *(line for stage in stages for line in _stage(stage)),
            "## Provenance",
            "",
            *_table(
                ("stage", "key", "code", "commit", "ended"),
                (_made(stage) for stage in stages),
            ),
            "",
        ]
    )


def _stage(stage: Stage) -> list[str]:
    return [
        f"Stage `{stage.label}`:",
        "",
        "```json",
        json.dumps(stage.settings, indent=1),
        "```",
        "",
    ]


def _made(stage: Stage) -> tuple[str, ...]:
    told = stage.provenance
    code, commit = (str(told.get(name) or "")[:12] for name in ("code", "commit"))
    ended = str(told.get("ended") or "")[:19]
    return (stage.label, f"`{stage.key}`", f"`{code}`", commit and f"`{commit}`", ended)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows),
    ]
