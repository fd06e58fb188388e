"""The pictures of a group's report."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..groups.association import Association
from ..groups.comparison import Effect
from ..groups.estimates import Array
from ..groups.model_choice import Agreement
from ..groups.test_retest import Repeat
from ..messages import Text
from ..outcome.clinical import score_named
from ..quantities import BY_KEY
from .figures import canvas
from .plots import COLORS, GRAY, MARKERS, PAGE_WIDTH, localize
from .words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def agreement(row: Repeat, words: Words) -> "Figure":
    """Difference against mean of each person, with limits of agreement and their intervals; every person labeled."""
    figure = canvas(PAGE_WIDTH, 3.0)
    axes = figure.add_subplot()
    both = np.where(np.isfinite(row.values).all(axis=-1, keepdims=True), row.values, np.nan)
    each = np.nanmean(both, axis=1)
    mean, difference = each.mean(axis=1), each[:, 1] - each[:, 0]
    axes.plot(mean, difference, color=COLORS[0], marker="o", ls="none")
    _label(axes, row.who, mean, difference)
    limits = row.repeatability.agreement
    for estimate, style in ((limits.mean, "-"), (limits.lower, "--"), (limits.upper, "--")):
        axes.axhline(estimate.value, color=COLORS[1], linestyle=style)
        if math.isfinite(estimate.low) and math.isfinite(estimate.high):
            axes.axhspan(estimate.low, estimate.high, color=COLORS[1], alpha=0.08, linewidth=0)
    reach = max(abs(limits.lower.value), abs(limits.upper.value), float(abs(difference).max())) or 1.0
    axes.set_ylim(-2.2 * reach, 2.2 * reach)  # the intervals of few people reach far beyond any picture
    axes.set_xlabel(words.message(Text("mean of both visits, {unit}", unit=row.unit)))
    axes.set_ylabel(words.message(Text("second minus first visit, {unit}", unit=row.unit)))
    localize(figure, words)
    return figure


def people(effect: Effect, words: Words) -> "Figure":
    """Every person's number, by group, labeled, with the means of the groups."""
    figure = canvas(PAGE_WIDTH, 3.0)
    axes = figure.add_subplot()
    groups = (effect.first, effect.second) if effect.by else ("",)
    ratio = effect.question != "group"
    for place, group in enumerate(groups):
        own = sorted(
            ((who, value) for who, belongs, value in effect.values if belongs == group), key=lambda pair: pair[1]
        )  # from left to right, so that labels of like values do not lie upon each other
        values = np.array([100 * math.expm1(value) if ratio else math.exp(value) for _, value in own])
        at = place + 0.5 * (np.arange(len(values)) / max(len(values) - 1, 1) - 0.5)
        axes.plot(at, values, color=COLORS[place], marker=MARKERS[place], ls="none")
        _label(axes, [who for who, _ in own], at, values)
        mean = float(np.mean([value for _, value in own]))
        middle = 100 * math.expm1(mean) if ratio else math.exp(mean)
        axes.plot([place - 0.3, place + 0.3], [middle, middle], color=COLORS[place])
    if ratio:
        axes.axhline(0, color=GRAY, linewidth=0.8)
        axes.set_ylabel(words.message(Text("difference of {outcome}, %", outcome=effect.outcome)))
    else:
        axes.set_ylabel(measured(effect.outcome, effect.model))
    axes.set_xticks(range(len(groups)), [words.value(group) for group in groups])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    localize(figure, words)
    return figure


def association(related: Association, words: Words) -> "Figure":
    """Imaging against the score; every person labeled."""
    figure = canvas(PAGE_WIDTH, 3.0)
    axes = figure.add_subplot()
    change = related.kind == "change"
    x = np.array([100 * math.expm1(value) if change else math.exp(value) for value in related.x])
    axes.plot(x, related.y, color=COLORS[0], marker="o", ls="none")
    _label(axes, related.who, x, related.y)
    if change:
        axes.axhline(0, color=GRAY, linewidth=0.8)
        axes.axvline(0, color=GRAY, linewidth=0.8)
    axes.set_xlabel(
        words.message(Text("change of {outcome}, %", outcome=related.outcome))
        if change
        else measured(related.outcome, related.model)
    )
    score = words.message(title_of(related.score))
    axes.set_ylabel(words.message(Text("change of {score}", score=score)) if change else score)
    localize(figure, words)
    return figure


def model_agreement(agreement: Agreement, words: Words) -> "Figure":
    """Another measure against V_T of the reference model, one point a curve."""
    figure = canvas(3.4, 2.6)
    axes = figure.add_subplot()
    axes.plot(agreement.x, agreement.y, color=COLORS[0], marker="o", ls="none", ms=3)
    ends = np.array([agreement.x.min(), agreement.x.max()])
    line = agreement.y.mean() + agreement.slope.value * (ends - agreement.x.mean())
    axes.plot(ends, line, color=COLORS[1])
    axes.set_xlabel("V_T, 1TCM")
    axes.set_ylabel(agreement.measure)
    localize(figure, words)
    return figure


def measured(outcome: str, model: str) -> str:
    """What an axis shows, with its unit."""
    known = BY_KEY.get(outcome)
    name = outcome if known is None else known.symbol
    unit = "" if known is None or known.unit == "1" else f", {known.shown_unit}"
    return f"{name} ({model}){unit}" if model != "none" else f"{name}{unit}"


def title_of(score: str) -> str:
    """A scale's name for people; a column's own name where the program knows no such scale."""
    known = score_named(score)
    return score if known is None else known.title


def _label(axes: "Axes", names: Sequence[str], x: Array, y: Array) -> None:
    for name, *at in zip(names, x, y, strict=True):
        axes.annotate(name, tuple(at), textcoords="offset points", xytext=(3, 3), fontsize=6, color=GRAY)
