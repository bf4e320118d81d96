"""Goes on in sequence where single GOPs could not be decoded, and replaces damaged frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import av

from spark_keyframes.errors import DecodeError
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.timeline import Timeline


def rest_in_sequence(
    pictures: Iterable[av.VideoFrame],
    timeline: Timeline,
    frame_ids: Sequence[int],
    done: int,
    *,
    exactly: bool,
    nothing_decoded: Callable[[], Exception],
) -> Iterator[Frame]:
    """Yield frame_ids[done:]; a damaged frame is replaced by the one before it.

    Args:
        pictures: all frames that can be decoded, from the beginning of the video.
        timeline: of the video.
        frame_ids: the wanted frames, increasing.
        done: how many of them are decoded already.
        exactly: a damaged frame is an error instead.
        nothing_decoded: returns the error to raise if there are no pictures.
    """
    last_id = frame_ids[done - 1] if done else -1
    on_screen: Frame | None = None
    for picture in pictures:
        frame_id = timeline.id_at(picture.pts) if picture.pts is not None else None
        if frame_id is None or (on_screen is not None and frame_id <= on_screen.frame_id):
            continue
        while done < len(frame_ids) and frame_ids[done] < frame_id:
            if exactly:
                raise _damaged(frame_ids[done])
            if on_screen is not None and on_screen.frame_id > last_id:
                yield on_screen
                last_id = on_screen.frame_id
            done += 1
        on_screen = Frame(frame_id, timeline.seconds(frame_id), picture)
        if done < len(frame_ids) and frame_ids[done] == frame_id:
            yield on_screen
            last_id = frame_id
            done += 1
        if done == len(frame_ids):
            if last_id < 0:
                # All candidates are damaged: yield the first undamaged frame instead.
                yield on_screen
            return
    if exactly:
        raise _damaged(frame_ids[done])
    if on_screen is None:
        raise nothing_decoded()
    if on_screen.frame_id > last_id:
        yield on_screen


def _damaged(frame_id: int) -> DecodeError:
    return DecodeError(f"frame {frame_id} is damaged and cannot be decoded")
