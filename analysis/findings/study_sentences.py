"""Findings beyond single pairs of scales, as plain sentences with their numbers."""

from __future__ import annotations

from analysis.findings.across_scales import AcrossScales
from analysis.findings.axis_effects import ALL, AxisEffects
from analysis.findings.axis_verdicts import AxisVerdict
from analysis.findings.data_sizes import DataSizeCurve
from analysis.findings.planning import Plan
from analysis.findings.scale_interaction import ScaleInteraction
from analysis.findings.sentences import number, percent
from analysis.statistics.proxy_choice import Enough
from analysis.statistics.verdict import FEWEST_FREEDOM

WORDS = {
    "decision_accuracy": "the share of pairs ordered alike",
    "r2": "R²",
    "r2_within": "R² within blocks",
}


def chance(p: float | None) -> str:
    """Write a p value with its sign; below a thousandth only that it is."""
    if p is None:
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p = {number(p)}"


def describe_axis(verdict: AxisVerdict) -> str:
    """Say in one or two sentences what an axis' verdict rests on."""
    found = verdict.evidence
    if found.accuracy is None or found.accuracy_ci is None:
        return "No pair of designs differs in this axis alone."
    low, high = found.accuracy_ci
    head = (
        f"{percent(found.accuracy)} of the {found.pairs} pairs of designs that differ in"
        f" {verdict.axis} alone are ordered alike (95 % interval {percent(low)} to"
        f" {percent(high)}, {found.designs} designs)."
    )
    if any(share is not None for share in found.decidable):
        small, large = (percent(share) for share in found.decidable)
        head += (
            f" Beyond noise differ {small} of them at {verdict.small}, {large} at {verdict.large}."
        )
    if verdict.because == "noise may explain most differences":
        return f"{head} Noise may explain most differences."
    if verdict.because == "ordered the other way, but noise explains every wrong pair":
        return f"{head} Noise explains every pair that is ordered the other way."
    if verdict.because == "one level carries it" and found.weakest_level is not None:
        level, left = found.weakest_level
        return f"{head} Without {level} it is {percent(left)}."
    if verdict.because == "the scales agree, this axis is not shown to":
        return f"{head} The scales agree overall; that this axis does is not shown."
    if verdict.because == "metric at chance":
        return f"{head} The metric is at its chance level."
    return head


def describe_axis_line(verdict: AxisVerdict) -> str:
    """One line for the terminal."""
    found = verdict.evidence
    interval = ""
    if found.accuracy_ci:
        interval = f" [{number(found.accuracy_ci[0], 2)}, {number(found.accuracy_ci[1], 2)}]"
    return (
        f"{verdict.axis}, {verdict.small} -> {verdict.large}: {verdict.verdict}; decision accuracy"
        f" {number(found.accuracy)}{interval}, pairs = {found.pairs}"
    )


def describe_enough(found: Enough, target: str) -> str:
    """Say which proxy is surely enough by one criterion."""
    what = WORDS[found.criterion]
    wanted = percent(found.target) if found.criterion == "decision_accuracy" else f"{found.target}"
    if found.proxy is None:
        return f"No proxy is sure to bring {what} with {target} to {wanted}."
    least = found.bounds[found.proxy]
    bound = percent(least) if found.criterion == "decision_accuracy" else number(least, 2)
    luck = ""
    if found.skipped:
        luck = f" It may be luck: the dearer {', '.join(found.skipped)} does not."
    return (
        f"{found.proxy} is the smallest whose {what} with {target} surely reaches {wanted}"
        f" (at least {bound}).{luck}"
    )


def describe_across(found: AcrossScales) -> list[str]:
    """Say what all scales of one metric tell together."""
    lines = [describe_enough(enough, found.target) for enough in found.enough]
    for test, adjusted in zip(found.better, found.better_p_holm, strict=True):
        if test.p is None:
            continue
        taken = "" if found.independent else ", as if designs were independent"
        verb = "foretells better" if test.r_big > test.r_small else "foretells worse"
        told = f"{chance(adjusted)} after Holm{taken}"
        if adjusted is not None and adjusted < 0.05:
            sure = "surely" if found.independent else "perhaps"
            line = f"{test.big} {sure} {verb} than {test.small} ({told})"
        else:
            line = f"That {test.big} {verb} than {test.small} may be chance ({told})"
        if test.detectable_gain is not None:
            line += (
                f"; with {test.n} designs a gain of {number(test.detectable_gain, 2)} in R² would"
                " be found four times in five"
            )
        lines.append(f"{line}.")
    if found.trend is not None:
        slope, base = number(found.trend.slope, 2), number(found.trend.intercept, 2)
        interval = ""
        if found.trend.slope_ci:
            low, high = found.trend.slope_ci
            interval = f", slope {number(low, 2)} to {number(high, 2)}"
        lines.append(
            f"R² with {found.target} against size: {slope} ln(billions) + {base}"
            f" ({found.trend.caution}{interval})."
        )
    if found.concordance is not None:
        c = found.concordance
        lines.append(
            f"Kendall's W over all {c.scales} scales is {number(c.w, 2)} (n = {c.n},"
            f" {chance(c.p)})."
        )
    return lines


def describe_plateau(curve: DataSizeCurve, unit: str, digits: int) -> str:
    """Say whether scores still grow with data at one scale, or that too few sizes tell."""
    found, stood = curve.plateau, curve.plateau.standstill
    if found.chosen is None:
        return f"{curve.axis} at {curve.scale}, {found.caution}."
    head = f"{curve.axis} at {curve.scale}, {found.sizes} sizes"
    knee = ""
    if found.knee is not None:
        ends = ""
        if found.knee_ci is not None:
            ends = f" (95 % interval {found.knee_ci[0]:.3g} to {found.knee_ci[1]:.3g})"
        knee = f", knee at {found.knee:.3g}{ends}"
    if stood is None:
        return f"{head}: {found.chosen} by AICc{knee}; no plateau declared, {found.caution}."
    low, high = (number(end, digits) for end in stood.ci90)
    left = (
        f"from {stood.start:.3g} on scores grow by {number(stood.growth, digits)} {unit} (90 %"
        f" interval {low} to {high})"
    )
    within = f"{number(stood.margin, digits)} either way, {chance(stood.p)}"
    fit = f"{found.chosen.capitalize()} by AICc{knee}"
    if found.declared:
        return f"{head}: a plateau. {fit}; {left}: within {within}."
    why = "the line does not bend" if found.knee is None else f"not shown to stay within {within}"
    return f"{head}: no plateau declared. {fit}; {left}: {why}."


def describe_interaction(found: ScaleInteraction) -> str:
    """Say whether designs differ alike at every scale."""
    if not found.rows:
        return f"Whether effects depend on scale is not testable: {found.not_testable}."
    row = found.rows[-1]
    permuted = "" if row.p_permutation is None else f", by permutation {chance(row.p_permutation)}"
    return (
        f"Scale x design interaction, by {found.source}: F({row.freedom}, {row.error_freedom}) ="
        f" {number(row.f, 2)}, {chance(row.p)}{permuted}, partial η²"
        f" {number(row.partial_eta2, 2)}."
    )


def describe_transfers(found: AxisEffects) -> list[str]:
    """Say how an axis' effects come back at larger scales."""
    what = "all axes" if found.axis == ALL else found.axis
    lines: list[str] = []
    for t in found.transfers:
        signs = f"{percent(t.sign_agreement)} of the {t.n} keep their sign"
        if t.slope is None:
            lines.append(
                f"Effects of {what}, {t.small} to {t.large}: {signs}; no slope, {t.no_slope}."
            )
            continue
        interval = ""
        if t.slope_ci:
            interval = f" ({number(t.slope_ci[0], 2)} to {number(t.slope_ci[1], 2)})"
        lines.append(
            f"Effects of {what}, {t.small} to {t.large}: {signs}; one point becomes"
            f" {number(t.slope, 2)}{interval}."
        )
    return lines


def _guess(freedom: float | None) -> str:
    if freedom is None or freedom >= FEWEST_FREEDOM:
        return ""
    return f"; a guess, from {freedom:.0f} degree{'' if round(freedom) == 1 else 's'} of freedom"


def describe_plan(found: Plan, unit: str, digits: int) -> list[str]:
    """Say what narrower intervals would take, and what running few designs would lose."""
    lines = [
        f"{need.of} to ±{number(need.half_width, digits if need.what != 'designs' else 2)}:"
        f" {'out of reach' if need.needed is None else f'{need.needed} {need.what}'}"
        f" (now {need.now}{_guess(need.freedom)})."
        for need in found.needs
    ]
    return lines + [
        f"Running {s.k} designs at {s.large}, {s.strategy} by {s.small}: slope"
        f" ±{number(s.slope_half_width, 2)}, {number(s.expected_loss, digits)} {unit} lost against"
        " running all."
        for s in found.subsets
    ]
