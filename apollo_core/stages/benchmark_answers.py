"""Answer all questions of a benchmark in each of its regimes; one row per item and regime."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain

from apollo_core.errors import BadData
from apollo_core.media.manifest import Item, Questions
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.media.viewing import Viewing, viewings
from apollo_core.scoring.answer_parsing import LETTERS, PARSER
from apollo_core.scoring.asked_orders import Answer
from apollo_core.scoring.letter_bias import letter_bias
from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import EvaluateIdentity, ExternalIdentity, Regime
from apollo_core.training.distributed import Peers, in_turns
from apollo_core.training.fed import MOST_SKIPPED

ITEMS = "items.jsonl"
# Questions without a video that are asked at once.
TEXTS = 64

Ask = Callable[[Sequence[Item], Shown | None], list[Answer]]
Asked = EvaluateIdentity | ExternalIdentity


def answer_benchmark(
    questions: Questions,
    readers: Sequence[MediaReader],
    ask: Ask,
    identity: Asked,
    context: StageContext,
    peers: Peers,
) -> None:
    """Answer every item in every regime, and leave the files of an evaluation in `context.out`.

    They are those of `apollo_core.stages.evaluate.run_evaluate`.

    Args:
        questions: of the benchmark.
        readers: show videos, all alike.
        ask: puts questions about what is shown to the model; None = about nothing.
        identity: regimes, seed, how it is scored, and what becomes of bad media.
        context: of the stage.
        peers: the processes that share the videos.

    Raises:
        DecodeFailed: a video cannot be read and `bad_media` is `stop`.
        BadData: with `skip`, too many items are left out.
    """
    items, left_out = questions
    found = _answers(items, readers, ask, identity, context, peers)
    _refuse_ruins(items, found.skipped)
    if peers.is_first:
        _write(found, left_out, identity, context)


@dataclass
class _Found:
    """What the stage has found out so far.

    `answers`: by regime, in the order asked. `sampling`: lines of `sampling.jsonl`. `skipped`:
    video -> why it cannot be read. `step`: answers given or given up.
    """

    answers: dict[Regime, list[tuple[Item, Answer]]]
    sampling: list[Mapping[str, object]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    step: int = 0

    def together(self, peers: Peers) -> _Found:
        """What all ranks have found about their videos, in the order of one that sees them all."""
        told = peers.gathered(self)
        skipped = sorted(pair for found in told for pair in found.skipped.items())
        return _Found(
            {
                regime: sorted(chain(*(found.answers[regime] for found in told)), key=_video_asked)
                for regime in self.answers
            },
            sorted(chain(*(found.sampling for found in told)), key=lambda row: str(row["medium"])),
            dict(skipped),
            sum(found.step for found in told),
        )


def _answers(
    items: Sequence[Item],
    readers: Sequence[MediaReader],
    ask: Ask,
    identity: Asked,
    context: StageContext,
    peers: Peers,
) -> _Found:
    """Video by video, all regimes that show it; then the questions alone.

    Ranks deal out videos, and then sets of questions: which are asked at once does not depend on
    how many ranks there are, and so no digit of an answer does.
    """
    found = _Found({regime: [] for regime in identity.regimes})
    total = len(identity.regimes) * len(items)

    def report(step: int) -> None:
        # Of the others the first rank, which alone is heard, knows that they are about as far.
        context.report({"step": min(step, total), "steps": total})

    seen: list[Regime] = [regime for regime in identity.regimes if regime != "text"]
    if seen:
        mine = set(sorted({item.video for item in items})[peers.rank :: peers.size])
        own = [item for item in items if item.video in mine]
        # Closed before the decoders: a stage that fails must not go on reading.
        ahead = context.execution.workers
        with closing(viewings(own, seen, readers, ahead=ahead, seed=identity.seed)) as coming:
            for viewing in coming:
                for regime in seen:
                    _look(viewing, regime, ask, identity, found)
                    report(found.step * peers.size)
        found = found.together(peers)
    if "text" in identity.regimes:
        left = [item for item in items if item.video not in found.skipped]
        found.step += len(items) - len(left)
        sets = [left[at : at + TEXTS] for at in range(0, len(left), TEXTS)]
        answered: list[list[tuple[Item, Answer]]] = []
        for turn, some in enumerate(sets[peers.rank :: peers.size], start=1):
            answered.append(list(zip(some, ask(some, None), strict=True)))
            report(found.step + min(turn * peers.size * TEXTS, len(left)))
        found.answers["text"] = list(chain(*in_turns(peers.gathered(answered))))
    return found


def _video_asked(pair: tuple[Item, Answer]) -> str:
    return pair[0].video


def _look(viewing: Viewing, regime: Regime, ask: Ask, identity: Asked, found: _Found) -> None:
    found.step += len(viewing.items)
    if viewing.failed is not None:
        if identity.bad_media == "stop":
            raise viewing.failed
        found.skipped[viewing.video] = viewing.failed.reason
        return
    shown = viewing.shown[regime]
    found.answers[regime] += zip(viewing.items, ask(viewing.items, shown), strict=True)
    if regime == "shuffled" and "video" in identity.regimes:
        return  # read as it was for `video`, whose line says how
    sample = viewing.items[0].id
    found.sampling += [
        one.row(sample=sample, medium=viewing.video) for one in shown.sampled if one is not None
    ]


def _refuse_ruins(items: Sequence[Item], skipped: Mapping[str, str]) -> None:
    lost = sum(item.video in skipped for item in items)
    if lost > MOST_SKIPPED * len(items):
        raise BadData(
            f"{lost} of {len(items)} items have videos that cannot be read, more than "
            f"{MOST_SKIPPED:.0%}; the rest would be another benchmark. The first: "
            f"{next(iter(skipped))}"
        )


def _write(
    found: _Found, left_out: Mapping[str, str], identity: Asked, context: StageContext
) -> None:
    rows = (
        _row(regime, item, given)
        for regime, answers in found.answers.items()
        for item, given in answers
    )
    given: dict[Regime, list[Answer]] = {
        regime: [one for _, one in pairs] for regime, pairs in found.answers.items()
    }
    documents = {
        "scoring.json": _scoring(given, identity),
        "letter_bias.json": {regime: letter_bias(answers) for regime, answers in given.items()},
        "skipped.json": {**found.skipped, **left_out},
    }
    for name, lines in ((ITEMS, rows), ("sampling.jsonl", found.sampling)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (context.out / name).write_text(text, encoding="utf-8")
    for name, document in documents.items():
        (context.out / name).write_text(json.dumps(document, indent=2) + "\n")


def _scoring(given: Mapping[Regime, Sequence[Answer]], identity: Asked) -> dict[str, object]:
    """How answers were got; `unparsed`: by regime, the share of items with no readable answer."""
    return {
        "scoring": identity.scoring,
        "prompt": identity.prompt,
        "rotations": identity.rotations,
        "parser": PARSER if identity.scoring == "generate" else None,
        "unparsed": {
            regime: sum(one.choice is None for one in answers) / max(1, len(answers))
            for regime, answers in given.items()
        },
    }


def _row(regime: Regime, item: Item, given: Answer) -> dict[str, object]:
    labels = {"duration_group": item.duration_group, "task_type": item.task_type}
    row: dict[str, object] = {
        "regime": regime,
        "video": item.video,
        "item": item.id,
        "category": item.category,
        **{name: label for name, label in labels.items() if label},
        "choice": _letter(given.choice),
        "answer": LETTERS[item.answer_index],
        "correct": int(given.choice == item.answer_index),
        "n_options": given.options,
        # Letters as listed in each order that the item was asked in.
        "orders": [
            {"choice": _letter(place), "answer": LETTERS[right]}
            for place, right in zip(given.places, given.rights, strict=True)
        ],
    }
    if given.generated:
        return row | {"generated": list(given.generated)}
    return row | {"log_likelihoods": [round(value, 6) for value in given.log_likelihoods]}


def _letter(place: int | None) -> str:
    return "" if place is None else LETTERS[place]
