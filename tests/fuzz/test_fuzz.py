"""No damaged video crashes the worker, hangs it, leaks memory, or raises an unexpected error.

The long run is `python -m tests.fuzz.campaign`, see docs/fuzzing.md.
"""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from spark_keyframes.video import make_decoder
from tests.fuzz.campaign import MEMORY_LIMIT, REPO, TIME_LIMIT, FuzzWorker, names, run
from tests.fuzz.campaign_totals import FLAT, CampaignTotals
from tests.fuzz.clip_structure import parse_structure
from tests.fuzz.mutations import MUTATIONS, mutated
from tests.fuzz.pairs import PAIRS, clip_of

_SECONDS = 90.0  # duration of the slow test


@pytest.mark.parametrize("pair", PAIRS)
def test_a_clip_without_mutation_is_valid(pair: str) -> None:
    decoder = make_decoder("thread", 1)
    with decoder.open(io.BytesIO(clip_of(pair)), format_hint=PAIRS[pair].hint) as video:
        shapes = [picture.rgb.shape for picture in video.candidates(5, hold=False)]
    upright = (64, 48, 3) if "turned" in pair else (48, 64, 3)
    if "fields" in pair:
        upright = (64, 96, 3)
    assert len(shapes) >= 2
    assert set(shapes) == {upright}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_structure_of_a_clip_is_parsed(pair: str) -> None:
    data = clip_of(pair)
    structure = parse_structure(data, PAIRS[pair].layout)
    assert len(structure.units) > 5
    assert all(0 <= u.start <= u.body <= u.stop <= len(data) for u in structure.units)
    if PAIRS[pair].layout not in ("plain", "y4m", "startcodes"):
        assert structure.of_kind("size")


def test_an_input_is_reproduced_from_its_name() -> None:
    name = "vp8-webm:stacked:7"
    program = (
        "import hashlib; from tests.fuzz.mutations import mutated; "
        f"print(hashlib.sha256(mutated({name!r})).hexdigest())"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPO,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_changes_every_clip(mutation: str) -> None:
    for pair in PAIRS:
        assert mutated(f"{pair}:{mutation}:1") != clip_of(pair)


@pytest.mark.parametrize("decoder", ["process", pytest.param("thread", marks=pytest.mark.slow)])
def test_150_damaged_videos(decoder: str) -> None:
    assert not problems(run(names(150), 150, decoder=decoder))


@pytest.mark.slow
def test_damaged_videos_for_90_seconds() -> None:
    totals = run(names_until(time.monotonic() + _SECONDS), 5000)
    assert not problems(totals)
    assert totals.inputs > 500
    tenths = totals.tenths()
    assert tenths is not None
    before, after = tenths
    assert after.memory <= before.memory * (1 + FLAT)
    # The pictures of a decode process come in one buffer or two.
    assert after.files <= before.files + 1
    assert after.threads == before.threads


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["process", "thread"])
def test_decoding_the_same_videos_again_takes_no_more_memory(decoder: str) -> None:
    """900 videos in total: after 1,000, the decode process would be replaced."""
    inputs = [name for name in names(400, 7) if ":inflated:" not in name][:300]
    worker = FuzzWorker(decoder, TIME_LIMIT, MEMORY_LIMIT)
    memory = []
    for _ in range(3):
        for name in inputs:
            usage = worker.report_of(name, measure=name == inputs[-1]).get("usage")
        memory.append(usage["memory"] + usage["memory_below"])
    worker.close()
    assert max(memory) <= min(memory) * (1 + FLAT)
    assert worker.starts == 1


def names_until(end: float) -> Iterator[str]:
    """Yield names of inputs until this time."""
    return itertools.takewhile(lambda _: time.monotonic() < end, names(1_000_000, 100_000))


def problems(totals: CampaignTotals) -> str:
    """Return the findings as text; empty if there is none."""
    return "\n\n".join(f"{finding.name}: {finding.details}" for finding in totals.findings)
