r"""Whether a score still grows with more data: three curves, their knee, and a test of standstill.

x is the logarithm (base 10) of the data size, y the score in points, shape (n,). A curve that bends
is no plateau, and a slope that does not differ from 0 is none either: too few points never do. A
plateau is declared only where the growth that is left is shown to be small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from analysis.statistics.intervals import Interval, percentile_interval
from analysis.statistics.scores import Scores

CurveName = Literal["linear", "broken stick", "saturating"]
# With fewer sizes the curves' corrected criteria are ruled by the correction, not by the data.
FEWEST_SIZES = 8
# Fewer points have no line with an error.
FEWEST_FOR_LINE = 3
# Candidates for a rate and for a knee, tried one by one: the fit given each is linear and exact.
RATES = 60
KNEES = 200
# Growth that is left counts as none below this share of the range seen; our choice.
NEGLIGIBLE = 0.1


@dataclass(frozen=True)
class Curve:
    """A fitted curve.

    `parameters` are intercept and slope (linear); intercept, slope, change of slope and knee
    (broken stick); ceiling, gap at the smallest size and rate per tenfold (saturating). `aicc` is
    None where n is too small for its correction.
    """

    name: CurveName
    parameters: tuple[float, ...]
    residual_sum: float
    aicc: float | None


@dataclass(frozen=True)
class Standstill:
    """Equivalence test of the growth from `start` to the largest size, in points.

    Two one-sided tests: `p` below .05 shows that the growth lies within `margin` either way, which
    its 90 % interval says too.
    """

    start: float
    points: int
    growth: float
    ci90: Interval
    margin: float
    p: float


@dataclass(frozen=True)
class Plateau:
    """What the sizes tell; sizes in the table's own units, `knee` and `start` too.

    `chosen` is the curve with the least AICc, None with fewer than 8 sizes. `declared` is true only
    where the equivalence test shows standstill behind the knee.
    """

    sizes: int
    curves: tuple[Curve, ...]
    chosen: CurveName | None
    knee: float | None
    knee_ci: Interval | None
    standstill: Standstill | None
    declared: bool
    caution: str


def find_plateau(
    sizes: Scores,
    scores: Scores,
    *,
    rng: np.random.Generator,
    draws: int = 500,
    margin: float | None = None,
) -> Plateau:
    """Fit the curves, choose among them where there are enough sizes, and test for standstill.

    Standstill is tested from the upper end of the knee's interval on, so that an uncertain knee
    does not lend its rise to the plateau.

    Args:
        sizes: of the data, any unit, above 0, shape (n,).
        scores: shape (n,).
        margin: growth in points that counts as none; None takes a tenth of the scores' range.
    """
    x = np.log10(sizes)
    curves = tuple(fit(x, scores) for fit in (fit_linear, fit_broken_stick, fit_saturating))
    n = int(np.unique(x).size)
    if n < FEWEST_SIZES:
        caution = f"{n} sizes: fewer than {FEWEST_SIZES}, so the curves are drawn and none chosen"
        return Plateau(n, curves, None, None, None, None, declared=False, caution=caution)
    chosen = min(curves, key=lambda curve: np.inf if curve.aicc is None else curve.aicc)
    knee, interval = knee_interval(x, scores, rng=rng, draws=draws)
    start = interval[1] if interval else knee
    allowed = NEGLIGIBLE * float(np.ptp(scores)) if margin is None else margin
    stood = standstill(x, scores, start=start, margin=allowed)
    bends = chosen.name != "linear"
    return Plateau(
        sizes=n,
        curves=curves,
        chosen=chosen.name,
        knee=float(10**knee) if bends else None,
        knee_ci=(float(10 ** interval[0]), float(10 ** interval[1]))
        if bends and interval
        else None,
        standstill=stood,
        declared=bool(bends and stood is not None and stood.p < 0.05),
        caution=_caution(stood),
    )


def fit_linear(x: Scores, y: Scores) -> Curve:
    """Least squares of y = a + b x."""
    parameters, rest = _solve(np.column_stack([np.ones_like(x), x]), y)
    return Curve("linear", parameters, rest, aicc(rest, y.size, 3))


def fit_broken_stick(x: Scores, y: Scores) -> Curve:
    r"""Least squares of $y = a + b x + c \max(x - k, 0)$, the knee k between the second points.

    Source: Hudson (1966); the knee is searched on a grid.
    """
    best: tuple[float, tuple[float, ...]] = (np.inf, (np.nan, np.nan, np.nan))
    at = float("nan")
    for knee in _knees(x):
        hinge = np.maximum(x - knee, 0.0)
        parameters, rest = _solve(np.column_stack([np.ones_like(x), x, hinge]), y)
        if rest < best[0]:
            best, at = (rest, parameters), float(knee)
    return Curve("broken stick", (*best[1], at), best[0], aicc(best[0], y.size, 5))


def fit_saturating(x: Scores, y: Scores) -> Curve:
    r"""Least squares of $y = c - g e^{-r (x - x_{min})}$, rates r from 0.1 to 30 over the range.

    In data size that is a power law that levels off, $c - g (size / size_{min})^{-r / \ln 10}$.
    """
    span = float(np.ptp(x)) or 1.0
    best: tuple[float, tuple[float, ...]] = (np.inf, ())
    for rate in np.geomspace(0.1, 30.0, RATES) / span:
        falling = -np.exp(-rate * (x - x.min()))
        parameters, rest = _solve(np.column_stack([np.ones_like(x), falling]), y)
        if rest < best[0]:
            best = (rest, (*parameters, float(rate)))
    return Curve("saturating", best[1], best[0], aicc(best[0], y.size, 4))


def fitted(curve: Curve, x: Scores, *, start: float) -> Scores:
    """The scores that a fitted curve has at x; `start` is the smallest x it was fitted to."""
    first, second, *rest = curve.parameters
    match curve.name:
        case "linear":
            return first + second * x
        case "broken stick":
            return first + second * x + rest[0] * np.maximum(x - rest[1], 0.0)
        case "saturating":
            return first - second * np.exp(-rest[0] * (x - start))


def aicc(residual_sum: float, n: int, parameters: int) -> float | None:
    r"""Corrected Akaike criterion $n \ln(RSS / n) + 2 p + 2 p (p + 1) / (n - p - 1)$.

    p counts the error's variance too. None for n <= p + 1, or a curve through all points.

    Source: Hurvich and Tsai (1989).
    """
    if n <= parameters + 1 or residual_sum <= 0 or not np.isfinite(residual_sum):
        return None
    p = parameters
    return float(n * np.log(residual_sum / n) + 2 * p + 2 * p * (p + 1) / (n - p - 1))


def knee_interval(
    x: Scores, y: Scores, *, rng: np.random.Generator, draws: int
) -> tuple[float, Interval | None]:
    """The broken stick's knee and its 95 % percentile interval from resampled residuals.

    Residuals and not points: the sizes were chosen, not drawn, and a resample that lacks the sizes
    round the knee has none. They are stretched by sqrt(n / (n - 4)) for the parameters fitted.
    """
    curve = fit_broken_stick(x, y)
    a, b, c, knee = curve.parameters
    fitted = a + b * x + c * np.maximum(x - knee, 0.0)
    rest = (y - fitted) * np.sqrt(y.size / max(1, y.size - 4))
    drawn = fitted + rng.choice(rest - rest.mean(), size=(draws, y.size))
    return knee, percentile_interval(_best_knees(x, drawn))


def standstill(x: Scores, y: Scores, *, start: float, margin: float) -> Standstill | None:
    r"""Two one-sided t tests of the growth $b (x_{max} - start)$ over the points from `start` on.

    $p = \max(P(t > (\text{margin} - |g|) / se))$ on points - 2 degrees of freedom, g the growth.

    Source: Schuirmann (1987).

    Args:
        start: the logarithm of the size to begin with.
        margin: points.

    Returns:
        None for fewer than 3 points, or points of one size.
    """
    kept = x >= start - 1e-12
    n, span = int(kept.sum()), float(x.max() - start)
    if n < FEWEST_FOR_LINE or span <= 0 or np.ptp(x[kept]) == 0:
        return None
    gap = x[kept] - x[kept].mean()
    slope = float(gap @ y[kept] / (gap @ gap))
    rest = y[kept] - y[kept].mean() - slope * gap
    error = float(np.sqrt(rest @ rest / (n - 2) / (gap @ gap))) * span
    growth, t = slope * span, float(stats.t.ppf(0.95, n - 2))
    room = margin - abs(growth)
    p = float(stats.t.sf(room / error, n - 2)) if error > 0 else float(room <= 0)
    ci = (growth - t * error, growth + t * error)
    return Standstill(float(10**start), n, growth, ci, margin, p)


def _solve(design: Scores, y: Scores) -> tuple[tuple[float, ...], float]:
    found = np.linalg.lstsq(design, y, rcond=None)[0]
    rest = y - design @ found
    return tuple(float(value) for value in found), float(rest @ rest)


def _knees(x: Scores) -> Scores:
    """Candidates between the second and the last but one size: each side keeps two of them."""
    sizes = np.unique(x)
    if sizes.size < 4:
        return np.array([float(np.median(sizes))])
    return np.linspace(sizes[1], sizes[-2], KNEES)


def _best_knees(x: Scores, drawn: Scores) -> Scores:
    """Find the knee with the least residual for many score arrays at once: (draws,)."""
    knees = _knees(x)
    rests = np.empty((knees.size, len(drawn)))
    total = np.sum(drawn**2, axis=1)
    for place, knee in enumerate(knees):
        basis, _ = np.linalg.qr(np.column_stack([np.ones_like(x), x, np.maximum(x - knee, 0.0)]))
        rests[place] = total - np.sum((drawn @ basis) ** 2, axis=1)
    return knees[np.argmin(rests, axis=0)]


def _caution(stood: Standstill | None) -> str:
    if stood is None:
        return "too few sizes behind the knee's interval to test for standstill"
    return f"standstill is growth of less than {stood.margin:.3g} from {stood.start:.3g} on"
