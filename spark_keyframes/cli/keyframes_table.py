"""Keyframes of one video as a table for people, and as JSON for programs."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from spark_keyframes.jobs.moments import clock
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.result import Keyframes, counted_candidates


def table_lines(results: Sequence[Keyframes], *, explain: bool) -> Iterator[str]:
    """Yield the lines of a table for each text: time, score, frame, and the image if it is stored.

    Args:
        results: the keyframes of a video for each text.
        explain: say below each table why these frames were chosen.
    """
    for number, each in enumerate(results):
        if number:
            yield ""
        count = len(each.frame_ids)
        of_text = f" for “{redact_text(each.text)}”" if each.text else ""
        yield (
            f"{redact_url(each.source)}: {count} keyframe{'' if count == 1 else 's'} of "
            f"{counted_candidates(each)}{of_text}"
        )
        if count:
            yield ""
            yield f"{'time':>11}  {'score':>6}  {'frame':>8}{'  path' if each.tos_paths else ''}"
        for seconds, score, frame_id, path in _rows(each):
            shown = "" if path is None else f"  {redact_url(path)}"
            value = "" if score is None else f"{score:.3f}"
            yield f"{clock(seconds):>11}  {value:>6}  {frame_id:>8}{shown}"
        if explain:
            yield ""
            yield str(each.explain())


def as_json(results: Sequence[Keyframes], *, explain: bool) -> dict[str, Any]:
    """Return the keyframes of a video for each text, for JSON.

    Args:
        results: the keyframes of a video for each text.
        explain: add why these frames were chosen, as text.
    """
    return {
        "video": redact_url(results[0].source) if results else None,
        "texts": [
            {
                "text": each.text,
                "candidates": len(each.candidates.frame_ids),
                "candidates_total": each.account.candidates_total,
                "keyframes": [
                    {"seconds": seconds, "score": score, "frame_id": frame_id, "path": path}
                    for seconds, score, frame_id, path in _rows(each)
                ],
                **({"explanation": str(each.explain())} if explain else {}),
            }
            for each in results
        ],
    }


def _rows(each: Keyframes) -> Iterator[tuple[float, float | None, int, str | None]]:
    # There are no scores where nothing reads them, and no paths where images are not stored.
    return zip_longest(each.timestamps, each.scores, each.frame_ids, each.tos_paths)
