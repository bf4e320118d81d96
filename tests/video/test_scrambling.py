"""MPEG streams with scrambled packets are refused; those with flags that were left over are not."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable

import numpy as np
import pytest

from spark_keyframes.errors import EncryptedVideoError, NoFramesError
from spark_keyframes.video import container as container_module
from spark_keyframes.video import file_reader, make_decoder, open_video

from .boxes import scrambled
from .clips import H264, clip, number_in
from .tracks import DEFAULT, Track, joined, large, small

PACKET = 188
VIDEO = 0x100  # PID of FFmpeg's first stream
SECTOR = 2048

Packets = Callable[[int, bytes], bool]
"""Chooses packets by their place in the file, from 0 to 1000, and their bytes."""


@functools.cache
def transport(codec: str = "libx264") -> bytes:
    options = H264 if codec == "libx264" else {"b": "3000000"}
    return clip(codec, "mpegts", options=options, size=(320, 240))


@functools.cache
def dvd() -> bytes:
    options = {"bf": "2", "b": "6000000", "packetsize": str(SECTOR)}
    return clip("mpeg2video", "dvd", size=(352, 288), options=options)


def begins_pes(packet: bytes) -> bool:
    return bool(packet[1] & 0x40)


def everything(place: int, packet: bytes) -> bool:
    return True


def rewritten(data: bytes, chosen: Packets, *, flags: int = 0x80, noise: bool) -> bytes:
    """Set the scrambling flags of video packets; with `noise`, scramble their payload too."""
    result = bytearray(data)
    random = np.random.default_rng(1)
    for at in range(0, len(data), PACKET):
        packet = data[at : at + PACKET]
        is_video = int.from_bytes(packet[1:3], "big") & 0x1FFF == VIDEO
        if is_video and packet[3] & 0x10 and chosen(1000 * at // len(data), packet):
            result[at + 3] |= flags
            if noise:
                start = at + 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
                result[start : at + PACKET] = random.bytes(at + PACKET - start)
    return bytes(result)


def with_pes_flags(data: bytes) -> bytes:
    """Set PES_scrambling_control of all PES packets, and scramble what follows in other packets."""
    result = bytearray(data)
    at = data.find(b"\0\0\1\xe0")
    while at >= 0:
        result[at + 6] |= 0x20
        at = data.find(b"\0\0\1\xe0", at + 4)
    return rewritten(bytes(result), lambda _, packet: not begins_pes(packet), flags=0, noise=True)


def css(*, every: int = 1) -> bytes:
    """Scramble sectors of a DVD: all but their first 128 bytes."""
    result = bytearray(dvd())
    random = np.random.default_rng(0)
    for at in range(0, len(result) - SECTOR + 1, SECTOR * every):
        header = result.find(b"\0\0\1\xe0", at, at + 128)
        if header >= 0:
            result[header + 6] |= 0x10
            result[at + 128 : at + SECTOR] = random.bytes(SECTOR - 128)
    return bytes(result)


def spread(data: bytes, distance: int, before: int) -> bytes:
    """Put other bytes before each packet, as Blu-ray does, or after each."""
    parts = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    return b"".join(bytes(before) + p + bytes(distance - before - PACKET) for p in parts)


SCRAMBLED: dict[str, Callable[[], bytes]] = {
    "all": lambda: rewritten(transport(), everything, noise=True),
    "only what follows in a PES packet": lambda: rewritten(
        transport(), lambda _, packet: not begins_pes(packet), noise=True
    ),
    "the same, MPEG-2": lambda: rewritten(
        transport("mpeg2video"), lambda _, packet: not begins_pes(packet), noise=True
    ),
    "from the middle": lambda: rewritten(transport(), lambda at, _: at > 500, noise=True),
    "in the middle": lambda: rewritten(transport(), lambda at, _: 333 < at < 500, noise=True),
    "the end": lambda: rewritten(transport(), lambda at, _: at > 990, noise=True),
    "the beginning": lambda: rewritten(transport(), lambda at, _: at < 20, noise=True),
    "Blu-ray": lambda: spread(
        rewritten(transport(), lambda at, _: 333 < at < 500, noise=True), 192, 4
    ),
    "with FEC": lambda: spread(
        rewritten(transport(), lambda at, _: 333 < at < 500, noise=True), 204, 0
    ),
    "cut within a packet": lambda: rewritten(transport(), lambda at, _: 333 < at < 500, noise=True)[
        50:
    ],
    "damage before": lambda: (
        transport()[:10_000]
        + rewritten(transport(), lambda at, _: 333 < at < 500, noise=True)[10_050:]
    ),
    "PES packets in a transport stream": lambda: with_pes_flags(transport()),
    "DVD": css,
    "DVD, every second sector": lambda: css(every=2),
    "DVD, one sector": lambda: css(every=150),
}


@pytest.mark.parametrize("name", SCRAMBLED)
def test_a_scrambled_stream_is_refused(name: str) -> None:
    with pytest.raises(EncryptedVideoError, match="packets are scrambled"):
        open_video(io.BytesIO(SCRAMBLED[name]()))


@pytest.mark.parametrize("name", ["in the middle", "DVD"])
def test_so_it_is_by_the_other_decoder(name: str) -> None:
    with make_decoder("process", 1) as decoder, pytest.raises(EncryptedVideoError):
        decoder.open(io.BytesIO(SCRAMBLED[name]()))


def damaged(data: bytes, *, error_indicator: int) -> bytes:
    """Overwrite the header of a video packet, as bad reception does."""
    at = len(data) // PACKET // 2 * PACKET
    while int.from_bytes(data[at + 1 : at + 3], "big") & 0x5FFF != VIDEO:
        at += PACKET
    return data[: at + 1] + bytes([error_indicator | 1, 0, 0x90]) + data[at + 4 :]


CLEAR: dict[str, Callable[[], bytes]] = {
    "no flags": transport,
    "flags left over": lambda: rewritten(transport(), everything, noise=False),
    "flags of either key": lambda: rewritten(
        rewritten(transport(), everything, noise=False),
        lambda at, _: at > 500,
        flags=64,
        noise=False,
    ),
    "flags left over from the middle, at the beginning of a PES packet": lambda: (
        transport() + rewritten(transport(), everything, noise=False)
    ),
    "other distances": lambda: spread(transport(), 192, 4),
    "a packet with the error indicator": lambda: damaged(transport(), error_indicator=0x80),
    "DVD": dvd,
    "MPEG-1": lambda: clip("mpeg1video", "mpeg", options={"b": "3000000"}, size=(320, 240)),
}


@pytest.mark.parametrize("name", CLEAR)
def test_a_clear_stream_is_decoded(name: str) -> None:
    with open_video(io.BytesIO(CLEAR[name]())) as video:
        shown = [number_in(frame.to_rgb()) for frame in video.candidates(1.0)]
    assert shown[:3] == [0, 25, 50]


def test_other_streams_may_be_scrambled() -> None:
    data = joined("mpegts", Track(small(), DEFAULT), Track(large()))
    data = scrambled(data)  # the first stream only
    with open_video(io.BytesIO(data), video_stream=1) as video:
        assert number_in(next(video.candidates(1.0)).to_rgb()) == 100
    with pytest.raises(EncryptedVideoError):
        open_video(io.BytesIO(data), video_stream=0)


def test_an_empty_stream_beside_a_scrambled_one_is_empty() -> None:
    data = joined("mpegts", Track(large()), Track(small(), is_empty=True))
    with pytest.raises(NoFramesError, match="holds no packet"):
        open_video(io.BytesIO(scrambled(data)), video_stream=1)


class CountedFile(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("name", ["no flags", "DVD"])
def test_the_file_is_not_read_once_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def bytes_read() -> int:
        file = CountedFile(CLEAR[name]() * 4)
        open_video(file).close()
        return file.count

    count = bytes_read()
    monkeypatch.setattr(container_module, "scan_for_scrambling", lambda *_: None)
    assert count == bytes_read()


def test_what_is_not_held_while_the_file_is_opened_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_reader, "_MOST_HELD", 0)
    data = rewritten(transport(), lambda at, _: at < 100, noise=True)
    with pytest.raises(EncryptedVideoError):
        open_video(io.BytesIO(data))
