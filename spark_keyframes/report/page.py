"""Makes the page of a report: plain values in, HTML out."""

import base64
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spark_keyframes.errors import STAGES, KeyframesError
from spark_keyframes.html import css, rendered, video_html
from spark_keyframes.html.render import template_file
from spark_keyframes.html.words import counted
from spark_keyframes.made_by import __version__
from spark_keyframes.redaction import redact_text
from spark_keyframes.report.gather import Video
from spark_keyframes.report.totals import Totals

_PACKAGE = "spark_keyframes.report"
_LISTED = 8  # texts


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a page says."""

    name: str
    """of the table, without credentials"""
    failed_name: str = ""
    """of the table of failed videos"""
    made_at: str
    """the time, in words"""
    totals: Totals
    videos: Sequence[Video]
    """the cards of the gallery, with their images"""
    not_stored: int = 0
    """how many pictures have no image because nobody stored one"""
    missing: Sequence[tuple[int, KeyframesError]] = ()
    """how many others have none for each kind of error, with an example"""


@dataclass(frozen=True)
class Tile:
    """A number with its name."""

    name: str
    value: str
    note: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Stage:
    """The seconds of a stage."""

    name: str
    seconds: str
    share: str
    done: str
    """what it did"""


@dataclass(frozen=True)
class Entry:
    """A card of the gallery, with what the page's script filters and sorts by."""

    html: Any
    name: str
    words: str
    best: str
    failed: bool
    label: str


def page_html(contents: Contents) -> str:
    """Return the page: one file without a script, style or image of another."""
    from markupsafe import Markup

    # The page's rules allow this style and this script only, by their hashes.
    style = f"{css()}\n{template_file('report.css', _PACKAGE)}"
    script = template_file("report.js", _PACKAGE)
    entries = [_entry(each, Markup) for each in contents.videos]
    best = sorted(float(each.best) for each in entries if each.best)
    return rendered(
        "report.html",
        package=_PACKAGE,
        contents=contents,
        totals=contents.totals,
        tiles=list(_tiles(contents.totals)),
        texts=_texts(contents.totals),
        questions=[_question(each, contents.totals) for each in contents.totals.questions],
        failures=sorted(contents.totals.failures.values(), key=lambda each: -each.count),
        stages=_stages(contents.totals),
        notes=list(_notes(contents)),
        entries=entries,
        lowest=best[0] if best else None,
        highest=best[-1] if best else None,
        version=__version__,
        # Both are files of the package.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
        speed=_speed(contents.totals),
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _entry(video: Video, markup: Any) -> Entry:
    card = video.card
    scores = [each.score for each in card.keyframes if each.score is not None]
    best = max((each for each in scores if math.isfinite(each)), default=None)
    said = (card.title, card.text or "", video.kind, card.failure or "")
    state = "failed" if card.failure else counted(len(card.keyframes), "keyframe")
    return Entry(
        html=markup(video_html(card, level=3)),
        name=card.title,
        words=" ".join(said),
        best="" if best is None else repr(float(best)),
        failed=card.failure is not None,
        label=f"{card.title}, {state}",
    )


def _tiles(totals: Totals) -> Iterator[Tile]:
    without = f"{totals.empty:,} without a video or text" if totals.empty else ""
    yield Tile(_named(totals.videos, "video"), f"{totals.videos:,}", without)
    yield Tile("with keyframes", f"{totals.done:,}", _share(totals.done, totals.videos))
    yield Tile(
        "failed",
        f"{totals.failed:,}",
        _share(totals.failed, totals.videos),
        "bad" * bool(totals.failed),
    )
    each = f"{totals.keyframes / totals.done:.1f} per video" if totals.done else ""
    yield Tile(_named(totals.keyframes, "keyframe"), f"{totals.keyframes:,}", each)
    stored = "" if totals.stored else "none was stored"
    yield Tile(f"{_named(totals.stored, 'image')} stored", f"{totals.stored:,}", stored)
    if totals.with_seconds:
        of = "" if totals.with_seconds == totals.videos else f"of {totals.with_seconds:,} videos"
        value, unit = duration(totals.seconds)
        yield Tile(f"{unit} of video", value, of)


def _named(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def duration(seconds: float) -> tuple[str, str]:
    """Return a length of time as a number and its unit."""
    if seconds < 120:
        return f"{seconds:.0f}", "seconds"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f}", "minutes"
    return f"{seconds / 3600:,.1f}" if seconds < 360_000 else f"{seconds / 3600:,.0f}", "hours"


def _share(part: int, whole: int) -> str:
    if not part or not whole:
        return ""
    share = part / whole
    return f"{share:.1%}" if 0.001 <= share < 0.9995 else ("100%" if part == whole else "<0.1%")


def _texts(totals: Totals) -> list[str]:
    texts = [redact_text(text) for text, _ in totals.texts.most_common(_LISTED)]
    return (
        [*texts, f"… {len(totals.texts) - _LISTED} more"] if len(totals.texts) > _LISTED else texts
    )


def _question(question: Any, totals: Totals) -> str:
    fps = "" if question.fps is None else f"{question.fps:g} fps"
    most = "" if question.max_num_frames is None else f"at most {question.max_num_frames} keyframes"
    parts = (question.model, question.selector, fps, most, f"version {question.version}")
    words = ", ".join(part for part in parts if part)
    several = len(totals.questions) > 1
    return redact_text(
        f"{words}: {counted(totals.questions[question], 'video')}" if several else words
    )


def _stages(totals: Totals) -> list[Stage]:
    """Return the stages that took a hundredth of the time or more, in their order."""
    seconds = {stage: totals.account[f"{stage}_seconds"] for stage in STAGES}
    seconds["wait for the model"] = totals.account["waited_seconds"]
    total = sum(seconds.values())
    done = _done(totals)
    return [
        Stage(name, f"{spent:,.1f} s", f"{spent / total:.1%}", done.get(name, ""))
        for name, spent in seconds.items()
        if spent >= total / 100 > 0
    ]


def _done(totals: Totals) -> dict[str, str]:
    """Say what some of the stages did, and how much in a second."""
    account = totals.account
    skipped, images = account["frames_skipped"], account["images_uploaded"]
    decoded = _rate(account["frames_decoded"], account["decode_seconds"])
    return {
        "decode": f"{decoded}; {skipped:,} skipped" if skipped else decoded,
        "clip": _rate(account["frames_scored"], account["clip_seconds"]),
        "upload": f"{images:,} images, {account['bytes_uploaded'] / 1e6:,.1f} MB",
    }


def _speed(totals: Totals) -> str:
    """Say how long the videos are beside the work; "" where that is not known."""
    work = sum(totals.account[f"{stage}_seconds"] for stage in STAGES)
    # Of failed videos the length is not known.
    if not work or not totals.with_seconds >= totals.done > 0:
        return ""
    return f"{totals.seconds / work:,.1f} s of video in a second of work. "


def _rate(frames: float, seconds: float) -> str:
    return f"{frames:,} frames, {frames / seconds:,.0f} a second" if frames and seconds else ""


def _notes(contents: Contents) -> Iterator[str]:
    """Say what the page leaves out, and why."""
    cards, totals = len(contents.videos), contents.totals
    if left := totals.videos - totals.shown:
        yield (
            f"The gallery shows the first {cards:,}; {counted(left, 'video')} more "
            f"{'is' if left == 1 else 'are'} in the totals only. A larger max_videos shows more."
        )
    if more := sum(len(each.card.more) for each in contents.videos):
        yield (
            f"{counted(more, 'keyframe')} {'is' if more == 1 else 'are'} listed without an image: "
            "each video shows its best ones. A larger max_images shows more."
        )
    if count := contents.not_stored:
        yield (
            f"{counted(count, 'keyframe')} {'has' if count == 1 else 'have'} no image: the table "
            "has none, and none was stored. Sample with output_tos_dir, or with images in the "
            "table; or decode them now with open_videos."
        )
    for count, error in contents.missing:
        eg = "" if count == 1 else "e.g. "
        yield f"{counted(count, 'keyframe')} without an image: {type(error).__name__}: {eg}{error}"
