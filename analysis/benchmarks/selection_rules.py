"""Rules that choose items within a budget of seconds, from traits fitted on some models.

A rule takes (traits, budget, rng) and returns the chosen items' places. `random` and
`stratified` are the controls; `entropy` is the rule of ApolloBench (arXiv 2412.10360, section 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from analysis.benchmarks.item_traits import ItemTraits
from analysis.statistics.scores import Scores

Places = NDArray[np.intp]
Rule = Callable[[ItemTraits, float, np.random.Generator], Places]

# Abilities at which information is gathered, in standard deviations of the fitted models, and how
# much of each: models to come may lie outside those fitted.
_ABILITIES = np.linspace(-2.5, 2.5, 21)
_ABILITY_WEIGHTS = np.exp(-0.5 * (_ABILITIES / 1.2) ** 2)
# Information a benchmark starts from: keeps the first picks from chasing single abilities.
_PRIOR_INFORMATION = 5.0
# `spread` draws from the best _TOP * sqrt(g) of a stratum's g items, and items of the difficulty p
# get strata in proportion to (p (1 - p)) ** _MIDDLE. Both were chosen, with the alternation of
# slopes, on splits that the published figures do not use (docs/benchmarks.md).
_TOP, _MIDDLE = 3.0, 0.5


def random_items(traits: ItemTraits, budget: float, rng: np.random.Generator) -> Places:
    """Any items."""
    return _fill(rng.permutation(len(traits.rate)), traits.seconds, budget)


def stratified_items(traits: ItemTraits, budget: float, rng: np.random.Generator) -> Places:
    """Random items of every category in proportion."""
    return _balanced(rng.permutation(len(traits.rate)), traits, budget)


def entropy_items(traits: ItemTraits, budget: float, rng: np.random.Generator) -> Places:
    """Items on which the fitted models disagree most, first."""
    return _fill(_by_entropy(traits, rng), traits.seconds, budget)


def balanced_entropy_items(traits: ItemTraits, budget: float, rng: np.random.Generator) -> Places:
    """The same within each category, in proportion."""
    return _balanced(_by_entropy(traits, rng), traits, budget)


def informative_items(traits: ItemTraits, budget: float, rng: np.random.Generator) -> Places:
    r"""Greedily lower $\sum_t w_t / I(t)$, the mean variance of ability under the 2PL, per second.

    Late picks change I little, so after the first twenty several are made at once.
    """
    a, d = traits.discrimination, traits.threshold
    p = expit(a[:, None] * _ABILITIES + d[:, None])
    information = np.where(a[:, None] > 0, a[:, None] ** 2 * p * (1 - p), 0.0)
    total = np.full(len(_ABILITIES), _PRIOR_INFORMATION)
    free, chosen, spent = np.ones(len(a), dtype=bool), list[int](), 0.0
    while free.any():
        gain = information @ (_ABILITY_WEIGHTS / total**2) / traits.seconds
        gain = gain + 1e-12 * rng.random(len(gain))
        batch = np.argsort(-np.where(free, gain, -1.0))[: max(1, len(chosen) // 20)]
        taken = _fill(batch[free[batch]], traits.seconds, budget - spent)
        free[batch] = False
        chosen += taken.tolist()
        spent += float(traits.seconds[taken].sum())
        total = total + information[taken].sum(axis=0)
        if spent + float(traits.seconds[free].min(initial=np.inf)) > budget:
            break
    return np.array(chosen, dtype=np.intp)


def spread_items(traits: ItemTraits, budget: float, rng: np.random.Generator) -> Places:
    r"""One item a stratum of like category and difficulty, from those that separate models best.

    Items are laid out by category and difficulty and cut into as many strata as the budget buys,
    each of the same $\sum \sqrt{p(1-p)}$: a little more of middling items, which tell more. From
    each of g items one is drawn among the $3\sqrt{g}$ that separate models best per root second;
    strata take turns in what that means, among weak models or among strong ones. An item that
    separates weak from strong need not order neighbours, and those are the pairs in doubt.

    Strata keep the mixture of what is measured. Drawing rather than taking the best limits what
    luck in few fitted models can do; where strata are small and little is to be gained, the rule
    becomes stratified sampling.
    """
    tie = 1e-9 * rng.random(len(traits.slope))
    worth = np.array([traits.low_slope + tie, traits.high_slope + tie]) / np.sqrt(traits.seconds)
    order = np.lexsort((traits.difficulty + 1e-6 * rng.random(len(tie)), traits.category))
    ahead = np.cumsum((traits.difficulty * (1 - traits.difficulty))[order] ** _MIDDLE)
    luck = rng.random(len(order))
    low, high, best = 1, len(order), np.empty(0, dtype=np.intp)
    # Costs differ by item: find the finest cut that the budget pays.
    while low <= high:
        strata = (low + high) // 2
        cut = np.minimum(((ahead / ahead[-1]) * strata - 1e-9).astype(int), strata - 1)
        chosen = _drawn(order, cut, worth, luck)
        if traits.seconds[chosen].sum() <= budget * (1 + 1e-12):
            low, best = strata + 1, chosen
        else:
            high = strata - 1
    return best


def _drawn(order: Places, cut: Places, worth: Scores, luck: Scores) -> Places:
    """Draw one item of every stratum that has any; `cut` gives each place's stratum, ascending."""
    chosen: list[int] = []
    for turn, group in enumerate(np.split(order, np.flatnonzero(np.diff(cut)) + 1)):
        ranked = group[np.argsort(-worth[turn % 2][group])]
        top = min(len(group), max(1, round(_TOP * np.sqrt(len(group)))))
        chosen.append(int(ranked[int(luck[turn] * top)]))
    return np.array(chosen, dtype=np.intp)


def _by_entropy(traits: ItemTraits, rng: np.random.Generator) -> Places:
    p = traits.rate
    entropy = -(xlogy(p, p) + xlogy(1 - p, 1 - p))
    return np.lexsort((rng.random(len(p)), -np.round(entropy, 9)))


def _fill(order: Places, seconds: Scores, budget: float) -> Places:
    """Take items in order as long as the budget pays them; one that is too dear is passed over."""
    spent = np.cumsum(seconds[order])
    fitting = int(np.searchsorted(spent, budget * (1 + 1e-12), side="right"))
    left = budget - (spent[fitting - 1] if fitting else 0.0)
    later = list[int]()
    for place in order[fitting:]:
        if left < seconds.min():
            break
        if seconds[place] <= left * (1 + 1e-12):
            later.append(int(place))
            left -= seconds[place]
    return np.concatenate([order[:fitting], np.array(later, dtype=np.intp)])


def _balanced(order: Places, traits: ItemTraits, budget: float) -> Places:
    """Take from every category at the pace of its share of the seconds, in the order given."""
    place = np.empty(len(order))
    for code in np.unique(traits.category):
        of = order[traits.category[order] == code]
        spent = np.cumsum(traits.seconds[of])
        # The middle of the item's stretch of its category: the whole is filled evenly.
        place[of] = (spent - traits.seconds[of] / 2) / spent[-1]
    return _fill(order[np.argsort(place[order], kind="stable")], traits.seconds, budget)


RULES: Mapping[str, Rule] = {
    "random": random_items,
    "stratified": stratified_items,
    "entropy": entropy_items,
    "balanced entropy": balanced_entropy_items,
    "information": informative_items,
    "spread": spread_items,
}
