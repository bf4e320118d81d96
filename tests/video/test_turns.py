"""On one CPU, one video at a time decodes; nobody waits for long, or for a network."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from spark_keyframes.video import Source, Turns, open_source, turns


def local(folder: Path) -> Source:
    path = folder / "a.mp4"
    path.write_bytes(b"abc")
    return open_source(str(path))


def waited(of: Turns, source: Source) -> float:
    """Return how long the video waited for its turn, which it ends at once."""
    began = time.monotonic()
    of.take(source).close()
    return time.monotonic() - began


def test_a_video_waits_for_the_turn_of_another_but_not_for_long(tmp_path: Path) -> None:
    of = Turns(is_needed=True)
    with local(tmp_path) as source:
        with closing(of.take(source)):
            assert waited(of, source) >= turns._MAX_WAIT_SECONDS
        assert waited(of, source) < turns._MAX_WAIT_SECONDS
        turn = of.take(source)
        turn.close()
        turn.close()  # a second time, when the video is closed
        assert waited(of, source) < turns._MAX_WAIT_SECONDS


def test_a_video_that_got_no_turn_does_not_end_that_of_another(tmp_path: Path) -> None:
    of = Turns(is_needed=True)
    with local(tmp_path) as source, closing(of.take(source)):
        of.take(source).close()
        assert waited(of, source) >= turns._MAX_WAIT_SECONDS


def test_nobody_waits_for_a_video_whose_bytes_are_still_to_come(tmp_path: Path) -> None:
    of = Turns(is_needed=True)
    with local(tmp_path) as source:
        assert source.is_at_hand
        with closing(of.take(replace(source, is_at_hand=False))):
            assert waited(of, source) < turns._MAX_WAIT_SECONDS


def test_nobody_waits_where_there_are_more_cpus(tmp_path: Path) -> None:
    of = Turns(is_needed=False)
    with local(tmp_path) as source, closing(of.take(source)):
        assert waited(of, source) < turns._MAX_WAIT_SECONDS
