"""Writes H.264 whose pictures are fields (PAFF), which no encoder at hand makes.

Macroblocks are raw samples (I_PCM), or repeat those of the field before (P_Skip), so that each
field depends on earlier ones. Reference: ITU-T H.264 7.3.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from random import Random

import av

COLUMNS, ROWS = 6, 4
"""Macroblocks of a frame."""
_IDR, _NOT_IDR, _SPS, _PPS = 5, 1, 7, 8
_I_PCM, _I, _P = 25, 7, 5


class _Writer:
    def __init__(self) -> None:
        self.bits = ""

    def u(self, count: int, value: int) -> None:
        self.bits += f"{value:0{count}b}" if count else ""

    def ue(self, *values: int) -> None:
        for value in values:
            code = f"{value + 1:b}"
            self.bits += "0" * (len(code) - 1) + code

    def align(self) -> None:
        self.bits += "0" * (-len(self.bits) % 8)

    def unit(self, kind: int, importance: int) -> bytes:
        """Return a NAL unit with a start code."""
        self.bits += "1"
        self.align()
        raw = int(self.bits, 2).to_bytes(len(self.bits) // 8, "big")
        escaped = bytearray()
        for byte in raw:
            if escaped[-2:] == b"\0\0" and byte <= 3:
                escaped.append(3)
            escaped.append(byte)
        return b"\0\0\0\1" + bytes([importance << 5 | kind]) + bytes(escaped)


def _parameters() -> bytes:
    sps = _Writer()
    sps.u(24, 77 << 16 | 30)  # main profile
    sps.ue(0, 0, 0, 4)  # frame_num has 4 bits, pic_order_cnt_lsb 8
    sps.ue(2)
    sps.u(1, 0)
    sps.ue(COLUMNS - 1, ROWS // 2 - 1)
    sps.u(5, 0b00101)  # no frame_mbs_only, no MBAFF, direct_8x8_inference, no crop; VUI
    sps.u(8, 0b00000000)
    sps.u(1, 1)  # bitstream_restriction
    sps.u(1, 1)
    sps.ue(0, 0, 10, 10, 0, 2)  # no reordering
    pps = _Writer()
    pps.ue(0, 0)
    pps.u(2, 0)
    pps.ue(0, 0, 0)
    pps.u(3, 0)
    pps.ue(0, 0, 0)
    pps.u(3, 0b100)
    return sps.unit(_SPS, 3) + pps.unit(_PPS, 3)


def _picture(
    random: Random,
    number: int,
    in_gop: int,
    *,
    field: int | None,
    is_intra: bool,
    is_reference: bool,
) -> bytes:
    """Return a slice: of a frame, of its top field (0), or of its bottom field (1)."""
    slices = _Writer()
    is_idr = in_gop == 0 and field != 1
    slices.ue(0, _I if is_intra else _P, 0)
    slices.u(4, in_gop % 16)
    slices.u(1, field is not None)
    slices.u(int(field is not None), field or 0)
    if is_idr:
        slices.ue(number % 2)
    slices.u(8, (2 * in_gop + (field or 0)) % 256)
    if not is_intra:
        slices.u(2, 0)
    if is_reference:
        slices.u(2 if is_idr else 1, 0)
    slices.ue(0, 1)
    count = COLUMNS * ROWS // (1 if field is None else 2)
    skipped = 0
    for _ in range(count):
        if not is_intra and random.random() < 0.8:
            skipped += 1
            continue
        if not is_intra:
            slices.ue(skipped)
            skipped = 0
        slices.ue(_I_PCM + (0 if is_intra else 5))
        slices.align()
        slices.u(384 * 8, int.from_bytes(bytes(random.choices(range(1, 255), k=384)), "big"))
    if not is_intra and skipped:
        slices.ue(skipped)
    return slices.unit(_IDR if is_idr else _NOT_IDR, is_reference)


def field_stream(gops: Sequence[str], *, together: bool = False) -> list[list[bytes]]:
    """Return the packets of each frame.

    Args:
        gops: for each GOP, a letter per frame: "f" for two fields, "p" for a picture of a frame,
            capitals if no other frame refers to it. The first is intra.
        together: put both fields of a frame into one packet, as MP4 does.
    """
    random = Random("".join(gops))
    frames: list[list[bytes]] = []
    for gop in gops:
        number = 0
        for index, kind in enumerate(gop):
            is_reference = kind.islower()
            fields = (0, 1) if kind.lower() == "f" else (None,)
            pictures = [
                _picture(
                    random,
                    len(frames),
                    number,
                    field=field,
                    is_intra=index == 0 and field != 1,
                    is_reference=is_reference,
                )
                for field in fields
            ]
            number += is_reference
            if index == 0:
                pictures[0] = _parameters() + pictures[0]
            pictures = [b"\0\0\0\1\x09\xf0" + picture for picture in pictures]
            frames.append([b"".join(pictures)] if together else pictures)
    return frames


def muxed(
    frames: Sequence[Sequence[bytes]], container: str, *, rate: int = 25, lost: int = -1
) -> bytes:
    """Return a file; each packet of a frame begins half a frame after the one before it.

    The packet of number `lost` is left out.
    """
    left = lost
    file = io.BytesIO()
    raw = b"".join(packet for frame in frames for packet in frame)
    with (
        av.open(io.BytesIO(raw), format="h264") as source,
        av.open(file, "w", format=container) as output,
    ):
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, frame in enumerate(frames):
            for half, data in enumerate(frame):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 2 * rate)
                packet.pts = packet.dts = 2 * number + half
                packet.duration = 2 // len(frame)
                packet.is_keyframe = half == 0 and b"\0\0\0\1\x67" in data
                left -= 1
                if left != -1:
                    output.mux(packet)
    return file.getvalue()
