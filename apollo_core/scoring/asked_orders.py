"""Ask one question with its options in several orders, and make one answer of it.

A model that likes the letter B better than others scores by where the answer happens to stand. With
the options in cyclic orders each option stands behind each letter equally often (once, where there
are as many orders as options).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from apollo_core.media.manifest import Item


@dataclass(frozen=True)
class Answer:
    """What the model answered to one item, over all orders that it was asked in.

    Attributes:
        options: how many there are.
        choice: the option chosen, by its place in the item; None = no answer could be read.
        places: for each order, the place *as listed there* of the option chosen.
        rights: for each order, the place as listed there of the right option.
        log_likelihoods: of the item's options, mean over orders, in nats; empty when generated.
        generated: for each order, what was written; empty when scored by likelihood.
    """

    options: int
    choice: int | None
    places: tuple[int | None, ...]
    rights: tuple[int, ...]
    log_likelihoods: tuple[float, ...] = ()
    generated: tuple[str, ...] = ()

    @property
    def chosen(self) -> tuple[int | None, ...]:
        """For each order, the option chosen, by its place in the item."""
        return tuple(
            None if place is None else (start + place) % self.options
            for start, place in enumerate(self.places)
        )


def orders(item: Item, rotations: int) -> list[Item]:
    """The item in `min(rotations, options)` cyclic orders; order k lists its option k first."""
    count = len(item.options)
    return [
        replace(
            item,
            options=item.options[start:] + item.options[:start],
            answer_index=(item.answer_index - start) % count,
        )
        for start in range(min(rotations, count))
    ]


def by_likelihood(item: Item, listed: Sequence[Sequence[float]]) -> Answer:
    """The option of the highest mean log-likelihood over orders; of equal ones the first.

    Args:
        item: as given.
        listed: for each of its orders, the log-likelihood of each option as listed there.
    """
    of_options = [np.roll(np.asarray(values), start) for start, values in enumerate(listed)]
    mean = np.mean(of_options, axis=0)
    return Answer(
        options=len(item.options),
        choice=int(np.argmax(mean)),
        places=tuple(int(np.argmax(values)) for values in listed),
        rights=_rights(item, len(listed)),
        log_likelihoods=tuple(mean.tolist()),
    )


def by_majority(item: Item, places: Sequence[int | None], generated: Sequence[str]) -> Answer:
    """The option that most orders chose; of equally many that of the earliest order, which is the
    item's own where it chose one of them. Orders without a readable answer have no vote.

    Args:
        item: as given.
        places: for each of its orders, the place of the option chosen as listed there.
        generated: for each of its orders, what was written.
    """
    rights = _rights(item, len(places))
    asked = Answer(len(item.options), None, tuple(places), rights, (), tuple(generated))
    votes = Counter(option for option in asked.chosen if option is not None)
    # A Counter keeps the order of first sight, and `max` takes the first of equals.
    return replace(asked, choice=max(votes, key=votes.__getitem__) if votes else None)


def _rights(item: Item, asked: int) -> tuple[int, ...]:
    return tuple(each.answer_index for each in orders(item, asked))
