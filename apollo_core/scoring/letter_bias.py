"""Whether a model prefers letters to answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from apollo_core.scoring.answer_parsing import LETTERS
from apollo_core.scoring.asked_orders import Answer


def letter_bias(answers: Sequence[Answer]) -> dict[str, Any]:
    """How often each letter was chosen against how often it was right, over all orders asked.

    A letter is the place of an option in the order as listed; where a prompt lists no options it is
    the option's place in the manifest.

    Returns:
        `asked`: questions times their orders. `chosen`, `right`: letter -> how often, of `asked`.
        `unparsed`: how often no answer could be read. `agreement`: mean over the items asked in
        several orders of the share of pairs of orders that chose the same option, an unread answer
        agreeing with none; None where no item was.
    """
    chosen = Counter(place for answer in answers for place in answer.places)
    right = Counter(place for answer in answers for place in answer.rights)
    most = max((answer.options for answer in answers), default=0)
    several = [answer for answer in answers if len(answer.places) > 1]
    return {
        "asked": right.total(),
        "chosen": {LETTERS[place]: chosen[place] for place in range(most)},
        "right": {LETTERS[place]: right[place] for place in range(most)},
        "unparsed": chosen[None],
        "agreement": sum(map(_agreement, several)) / len(several) if several else None,
    }


def _agreement(answer: Answer) -> float:
    pairs = list(combinations(answer.chosen, 2))
    return sum(a is not None and a == b for a, b in pairs) / len(pairs)
