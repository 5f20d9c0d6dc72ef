r"""How well a line through small-scale scores gives the large-scale scores themselves.

Correlation asks for any line; these ask for the identity line, for designs not yet seen, and for a
line that a bad design cannot pull. Two score arrays of the same n designs, shape (n,), in points;
$s$ small, $l$ large. None stands for what is not defined.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.statistics.scores import Scores, is_constant


def r2_identity(small: Scores, large: Scores) -> float | None:
    r"""Coefficient of determination of large = small: $1 - \sum (l_i-s_i)^2/\sum (l_i-\bar l)^2$.

    1 when every design scores the same at both scales; below 0, without bound, when the mean at the
    large scale is the better guess, which it is wherever bigger models score higher. Not to be
    confused with `r2`, that of the best line.
    """
    if large.size < 2 or is_constant(large):
        return None
    return float(1.0 - np.sum((large - small) ** 2) / np.sum((large - large.mean()) ** 2))


def r2_predictive(small: Scores, large: Scores) -> float | None:
    r"""Leave-one-out R²: $1 - \sum (l_i - \hat l_{(i)})^2 / \sum (l_i - \bar l_{(i)})^2$.

    $\hat l_{(i)}$ is design i's value on the line, and $\bar l_{(i)}$ the mean, fitted to the other
    designs: what the small scale adds for a design that has not been run at the large one. Below 0:
    the others' mean foretells better than the line.

    With leverage $h_i = 1/n + (s_i - \bar s)^2 / \sum (s_j - \bar s)^2$ and residual $e_i$ the
    error is $e_i / (1 - h_i)$. Source: Allen (1974), PRESS.

    Returns:
        None for n < 3, a constant column, or a line that one design alone holds up.
    """
    n = small.size
    if n < 3 or is_constant(small) or is_constant(large):
        return None
    x, y = (small - small.mean()) / np.ptp(small), large - large.mean()
    leverage = 1.0 / n + x**2 / (x @ x)
    if leverage.max() >= 1.0 - 1e-12:
        return None
    errors = (y - x * (x @ y) / (x @ x)) / (1.0 - leverage)
    return float(1.0 - np.sum(errors**2) / np.sum((y * n / (n - 1)) ** 2))


def theil_sen(small: Scores, large: Scores) -> float | None:
    r"""Median of the slopes $(l_i - l_j)/(s_i - s_j)$ of all pairs with $s_i \ne s_j$.

    Points per point. Up to 29 % of the designs may be anything without moving it far.

    Source: Sen (1968), as in `scipy.stats.theilslopes`.
    """
    if small.size < 2 or is_constant(small):
        return None
    # scipy's interval, not read here, is not defined where most scores tie.
    with np.errstate(invalid="ignore"):
        slope, *_ = stats.theilslopes(large, small)
    return float(slope)  # pyright: ignore[reportArgumentType]  (an untyped result)
