"""Writes the marks as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.choice.encoded import KIND, Agreement, K
from benchmarks.choice.marks import RESAMPLES, Floats, difference, interval
from benchmarks.choice.measuring import NO_TEXT, QUESTIONS, Measured
from benchmarks.choice.settings import KS, SELECTORS, VARIANTS
from benchmarks.choice.videos import EVENTS, KINDS, LOOKALIKES, SPANS

_MARKS = {
    "events": "Share of events hit",
    "precision": "Precision: share of keyframes that show an event",
    "spread": "Spread: share of k equal parts of the video that hold a keyframe",
}
_FEW = (4, 8, 32)
"""Values of k where a table has no room for all."""


def report(measured: Measured, agreement: Agreement | None, head: str, seed: int) -> str:
    """Return the whole report."""
    parts = [head, _explained(measured), _separation(measured)]
    for name, title in _MARKS.items():
        parts.append(f"## {title}")
        for question in QUESTIONS:
            parts += [f"{_describe(question)}:", _by_k(measured, question, name)]
    parts += ["## No text: different pictures", _NO_TEXT_MEANS]
    parts.append(_by_k(measured, NO_TEXT.name, "pictures"))
    parts += ["## Share of events hit by kind of video and size of objects, k = 8"]
    parts.append(_by_kind(measured, 8))
    for name in ("events", "precision"):
        parts.append(f"## Further settings: {_MARKS[name].lower()}")
        parts.append(_variants(measured, name))
    parts += ["## Everything together", _together(measured, seed)]
    for k in (8, 32):
        parts.append(f"## Difference to AKS with its defaults, k = {k}")
        parts.append(_differences(measured, k, seed))
    if agreement:
        parts += ["## Drawn frames and encoded videos", _agreement(agreement)]
    return "\n\n".join(parts) + "\n"


_NO_TEXT_MEANS = """Asked with `text=""`: the different pictures among the keyframes, of as many \
as there could be.
A still picture that comes back is one. The scores mean nothing here."""


def _explained(measured: Measured) -> str:
    spans = ", ".join(f"{low} to {high} ({size})" for size, (low, high) in SPANS.items())
    kinds = "; ".join(
        f"{kind.name}, a candidate every {1 / kind.fps:g} s" for kind in KINDS.values()
    )
    of_kind = measured.kinds.count(measured.kinds[0])
    return f"""Every video is drawn, so its events are known. {of_kind} videos of each kind: \
{kinds}.
Each question asks for an object of one colour. Of the other shots, {100 * LOOKALIKES:.0f} % show \
a look-alike: the same object in another colour, or another object in the same colour.
The objects fill {spans} of the picture's height, in every second video each.
Frames are drawn at the candidates' times, and pass the real preprocessing and the tiny CLIP of \
spark_keyframes/demo/.
The embeddings of a video serve all questions, selectors and k.

In brackets: Wilson's 95 % interval over the videos. Where it is for a share and not for yes and \
no, it is too wide rather than too narrow."""


def _separation(measured: Measured) -> str:
    rows = []
    for size in SPANS:
        cells = []
        for question in QUESTIONS:
            found = [
                each[question]
                for each, of in zip(measured.separation, measured.sizes, strict=True)
                if of == size
            ]
            cells.append(f"{np.mean(found):.3f} ({np.quantile(found, 0.1):.3f})")
        rows.append([size, *cells])
    return f"""## How well the scores tell events from the rest

The area under the ROC curve: how often a frame of an event scores higher than another frame of \
the same video. Mean, in brackets the tenth of the videos in which it is least clear.

{_table(["objects", *QUESTIONS], rows)}"""


def _describe(question: str) -> str:
    count = EVENTS[question]
    where = ", close together (within 12 shots)" if question == "close" else ""
    return f'"{question}", {count} event{"s" * (count > 1)}{where}'


def _by_k(measured: Measured, question: str, mark: str) -> str:
    rows = [[name, *(_cell(measured, question, name, k, mark) for k in KS)] for name in SELECTORS]
    return _table(["selector", *(f"k = {k}" for k in KS)], rows)


def _cell(measured: Measured, question: str, name: str, k: int, mark: str) -> str:
    mean, low, high = interval(measured.values((question, name, k), mark))
    return f"{mean:.2f} ({low:.2f}–{high:.2f})"


def _by_kind(measured: Measured, k: int) -> str:
    groups = [{"kind": kind} for kind in dict.fromkeys(measured.kinds)]
    groups += [{"size": size} for size in SPANS]
    rows = []
    for group in groups:
        for question in QUESTIONS:
            cells = []
            for name in SELECTORS:
                values = measured.values((question, name, k), "events", **group)
                mean, low, high = interval(values)
                cells.append(f"{mean:.2f} ({low:.2f}–{high:.2f})")
            rows.append([f"{next(iter(group.values()))}: {question}", *cells])
    return _table(["", *SELECTORS], rows)


def _variants(measured: Measured, mark: str) -> str:
    rows = []
    for name in [*SELECTORS, *VARIANTS]:
        means = [
            np.mean(measured.values((question, name, k), mark))
            for question in QUESTIONS
            for k in _FEW
        ]
        rows.append([name, *(f"{mean:.2f}" for mean in means)])
    return _table(["", *(f"{question}, {k}" for question in QUESTIONS for k in _FEW)], rows)


def _together(measured: Measured, seed: int) -> str:
    def of_videos(name: str, mark: str) -> Floats:
        values = [
            measured.values((question, name, k), mark) for question in QUESTIONS for k in KS[1:]
        ]
        means: Floats = np.array(values).mean(axis=0)
        return means

    def both(name: str) -> Floats:
        return (of_videos(name, "events") + of_videos(name, "precision")) / 2

    rows = []
    for name in [*SELECTORS, *VARIANTS]:
        means = [np.mean(of_videos(name, mark)) for mark in _MARKS]
        against = [_difference(both(name), both(other), seed) for other in ("aks", "logdet")]
        rows.append([name, *(f"{mean:.3f}" for mean in means), *against])
    return f"""Means over the questions and k = {", ".join(map(str, KS[1:]))}.
"Both" is the mean of events and precision. {_BOOTSTRAP}

{_table(["", *_MARKS, "both: to aks", "both: to logdet"], rows)}"""


def _differences(measured: Measured, k: int, seed: int) -> str:
    columns = [(mark, question) for mark in ("events", "precision") for question in QUESTIONS]
    rows = []
    for name in [*SELECTORS, *VARIANTS]:
        if name != "aks":
            cells = []
            for mark, question in columns:
                values = measured.values((question, name, k), mark)
                of_aks = measured.values((question, "aks", k), mark)
                cells.append(_difference(values, of_aks, seed))
            rows.append([name, *cells])
    return f"""{_BOOTSTRAP}

{_table(["", *(f"{mark}, {question}" for mark, question in columns)], rows)}"""


_BOOTSTRAP = f"""Differences in the same videos; above 0 is better.
In brackets the 95 % interval of {RESAMPLES} bootstrap resamples of the videos; bold where it does \
not hold 0."""


def _difference(values: Floats, others: Floats, seed: int) -> str:
    mean, low, high = difference(values, others, seed)
    shown = f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"
    return f"**{shown}**" if low > 0 or high < 0 else shown


def _agreement(found: Agreement) -> str:
    return f"""{found.videos} videos ("{KIND}") were encoded with x264, and each selector chose \
{K} keyframes for each question: {found.choices} choices, by `sample()`.
Scores differ by {found.score_error:.3f} on average, because of other noise and of the encoder.
{100 * found.keyframes:.0f} % of the keyframes are the same frames, and \
{100 * found.shots:.0f} % of their shots the same.
Share of events hit: {found.events[0]:.3f} in the files, {found.events[1]:.3f} in drawn frames. \
Precision: {found.precision[0]:.3f} and {found.precision[1]:.3f}."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
