r"""How much of what models score above guessing the question alone gives.

$\rho = (t - c)/(v - c)$ with text score t, video score v, chance c, each a mean over models. A
ratio of two noisy numbers has no standard error worth the name where the lower one may be 0;
Fieller's interval is right then too, and is unbounded where nothing can be said.

Source: Fieller (1954).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.benchmarks.answer_sheets import AnswerSheet
from analysis.benchmarks.group_scores import groups_of, score_group
from analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class TextShare:
    """A regime's share of the video score above guessing; `ci` is for other videos, 95 %.

    None where the interval is unbounded: the video score itself may be at chance.
    """

    benchmark: str
    regime: str
    share: float
    ci: Interval | None
    models: int
    items: int


def text_shares(sheet: AnswerSheet) -> list[TextShare]:
    """The shares of `text` and `center_frame`, where those and `video` are there and chance is."""
    if "video" not in sheet.right or np.isnan(sheet.guess).any():
        return []
    shares = [_share(sheet, regime) for regime in ("text", "center_frame") if regime in sheet.right]
    return [share for share in shares if share is not None]


def fieller(
    top: float, bottom: float, variances: tuple[float, float], covariance: float, freedom: int
) -> Interval | None:
    r"""95 % interval of top / bottom; None where it is unbounded.

    The $\rho$ with $(a - \rho b)^2 \le t^2 (s_{aa} - 2 \rho s_{ab} + \rho^2 s_{bb})$.
    """
    t2 = float(stats.t.ppf(0.975, freedom)) ** 2
    square = bottom**2 - t2 * variances[1]
    if square <= 0:
        return None
    middle = top * bottom - t2 * covariance
    inside = middle**2 - square * (top**2 - t2 * variances[0])
    half = float(np.sqrt(max(0.0, inside)))
    return ((middle - half) / square, (middle + half) / square)


def _share(sheet: AnswerSheet, regime: str) -> TextShare | None:
    rows = np.stack([sheet.by_model(regime), sheet.by_model("video")])
    guess = np.broadcast_to(sheet.guess, (1, *rows.shape[1:]))
    everything = next(groups_of(sheet))
    found = score_group(sheet, everything, np.concatenate([rows, guess]))
    if found is None or found.moved.shape[-1] < 2:
        return None
    above = (found.values[:2] - found.values[2]).mean(axis=1)
    if above[1] <= 0:
        return None
    by_video = (found.moved[:2] - found.moved[2]).mean(axis=1)
    (aa, ab), (_, bb) = (by_video @ by_video.T).tolist()
    freedom = by_video.shape[-1] - 1
    # Videos that do not vary (one a category, say) tell nothing of their noise, rather than none.
    ci = fieller(float(above[0]), float(above[1]), (aa, bb), ab, freedom) if bb > 0 else None
    share = float(above[0] / above[1])
    return TextShare(sheet.benchmark, regime, share, ci, found.models.size, found.items)
