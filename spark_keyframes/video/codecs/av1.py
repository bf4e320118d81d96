"""AV1: which reference frames a temporal unit uses and replaces.

All that outlasts a frame of AV1 lies in the eight slots of reference frames: pixels, motion
vectors, probabilities, segmentation, loop filter deltas and film grain. A frame reads only the
slots that its header lists, and writes those of `refresh_frame_flags`.

Reference: AV1 Bitstream & Decoding Process Specification, 5.3, 5.5, 5.9.2, 7.20, 7.21.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs.facts import ALWAYS, EVERYTHING, PacketFacts, facts_of_frames

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
# Temporal delimiter, tile group, metadata, redundant frame header and padding.
_WITHOUT_EFFECT = {2, 4, 5, 7, 15}
_KEY, _INTER, _INTRA_ONLY, _SWITCH = range(4)
_ALL_SLOTS = 255
_SELECT = 2
"""A tool of the sequence that each frame turns on or off."""


@dataclass(frozen=True)
class _Sequence:
    """Fields of a sequence header that tell the layout of frame headers."""

    timing_bits: int = 0
    """Bits of frame_presentation_time, if there is one."""
    removal_bits: int = 0
    has_decoder_model: bool = False
    models: tuple[tuple[int, bool], ...] = ((0, False),)
    """For each operating point: operating_point_idc, and whether frames state removal times."""
    delta_id_bits: int = 0
    id_bits: int = 0
    order_hint_bits: int = 0
    screen_content_tools: int = _SELECT
    integer_mv: int = _SELECT


class Av1:
    """Reads the temporal units of a stream, one after another."""

    def __init__(self, extradata: bytes | None) -> None:
        """Read the sequence header of the container, if it has one."""
        self._sequence: _Sequence | None = None
        self._key_slots = _ALL_SLOTS
        """Slots that may hold a key frame: to show such a slot replaces all slots."""
        if extradata and extradata[0] == 0x81:  # av1C; its other fields repeat the header
            self.facts(extradata[4:], is_keyframe=False)
        self._key_slots = _ALL_SLOTS

    def facts(self, data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next temporal unit in decode order."""
        try:
            return facts_of_frames(self._frames(data), is_keyframe=is_keyframe)
        except (EOFError, IndexError):
            self._key_slots = _ALL_SLOTS
            return PacketFacts(is_random_access=is_keyframe)

    def _frames(self, data: memoryview | bytes) -> Iterator[tuple[int, int, bool]]:
        """Yield what each frame and sequence header reads and writes, and whether it is shown."""
        for kind, is_dropped, payload in self._units(data):
            if kind == _SEQUENCE_HEADER:
                self._sequence = _sequence_of(payload)
                yield 0, ALWAYS, False
            elif kind in (_FRAME_HEADER, _FRAME) and not is_dropped:
                yield self._frame(payload)
            elif kind not in _WITHOUT_EFFECT:
                raise EOFError

    def _units(self, data: memoryview | bytes) -> Iterator[tuple[int, bool, memoryview]]:
        """Yield the kind of each OBU, whether the decoder drops it, and its payload."""
        view, position = memoryview(data), 0
        while position < len(view):
            head = view[position]
            position += 1
            layers = 0
            if head >> 2 & 1:
                layers = 1 << (view[position] >> 5) | 256 << (view[position] >> 3 & 3)
                position += 1
            size = len(view) - position
            if head >> 1 & 1:
                size, position = _leb128(view, position)
            if head & 0x80 or position + size > len(view):
                raise EOFError
            yield head >> 3 & 15, self._is_dropped(layers), view[position : position + size]
            position += size

    def _is_dropped(self, layers: int) -> bool:
        """Return whether an OBU of these layers is not part of the operating point."""
        wanted = self._sequence.models[0][0] if self._sequence is not None else 0
        if wanted >> 8 > 1:  # of several spatial layers, only the highest is shown
            raise EOFError
        return bool(wanted and layers) and wanted & layers != layers

    def _frame(self, payload: memoryview) -> tuple[int, int, bool]:
        """Return the slots that a frame reads and writes, and whether it is shown."""
        sequence = self._sequence
        if sequence is None:
            raise EOFError
        bits = Bits(payload[:256], header_bytes=0, is_escaped=False)
        if bits.u(1):  # show_existing_frame
            slot = 1 << bits.u(3)
            if slot & self._key_slots:
                self._key_slots = _ALL_SLOTS
                return EVERYTHING, ALWAYS, True
            return slot, 0, True
        kind, is_shown = bits.u(2), bits.u(1)
        bits.u(sequence.timing_bits if is_shown else 1)
        is_shown_key = kind == _KEY and is_shown
        is_resilient = 1 if is_shown_key or kind == _SWITCH else bits.u(1)
        bits.u(1)
        _skip_tools(bits, sequence)
        bits.u(sequence.id_bits)
        bits.u(kind != _SWITCH)  # frame_size_override_flag
        bits.u(sequence.order_hint_bits)
        is_intra = kind in (_KEY, _INTRA_ONLY)
        if not is_intra and not is_resilient:
            bits.u(3)  # primary_ref_frame is one of the frames that are listed below
        _skip_removal_times(bits, sequence)
        refreshed = _ALL_SLOTS if is_shown_key or kind == _SWITCH else bits.u(8)
        reads = 0 if is_intra else _references(bits, sequence, is_resilient=bool(is_resilient))
        self._key_slots &= ~refreshed
        if kind == _KEY and not is_shown_key:
            self._key_slots |= refreshed
        return reads, refreshed, bool(is_shown)


def _skip_tools(bits: Bits, sequence: _Sequence) -> None:
    """Read allow_screen_content_tools and force_integer_mv."""
    tools = sequence.screen_content_tools
    if (bits.u(1) if tools == _SELECT else tools) and sequence.integer_mv == _SELECT:
        bits.u(1)


def _skip_removal_times(bits: Bits, sequence: _Sequence) -> None:
    if sequence.has_decoder_model and bits.u(1):
        for idc, has_removal_time in sequence.models:
            if has_removal_time and idc:  # only frames of its layers have the time
                raise EOFError
            bits.u(sequence.removal_bits * has_removal_time)


def _references(bits: Bits, sequence: _Sequence, *, is_resilient: bool) -> int:
    """Return the slots that an inter frame lists."""
    if is_resilient:
        bits.u(8 * sequence.order_hint_bits)
    if sequence.order_hint_bits and bits.u(1):  # frame_refs_short_signaling
        return _ALL_SLOTS
    slots = 0
    for _ in range(7):
        slots |= 1 << bits.u(3)
        bits.u(sequence.delta_id_bits)
    return slots


def _leb128(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = view[position + index]
        value |= (byte & 127) << 7 * index
        if not byte & 128:
            return value, position + index + 1
    raise EOFError


def _sequence_of(payload: memoryview) -> _Sequence:
    bits = Bits(payload[:256], header_bytes=0, is_escaped=False)
    bits.u(3)
    bits.u(1)
    if bits.u(1):  # a still picture
        raise EOFError
    timing_bits = removal_bits = delay_bits = 0
    has_model = False
    if bits.u(1):
        bits.u(64)
        is_equal = bits.u(1)
        if is_equal:
            bits.ue()
        has_model = bool(bits.u(1))
        if has_model:
            delay_bits = bits.u(5) + 1
            bits.u(32)
            removal_bits = bits.u(5) + 1
            timing_bits = bits.u(5) + 1
            timing_bits *= not is_equal
    has_delay = bits.u(1)
    models = []
    for _ in range(bits.u(5) + 1):
        idc = bits.u(12)
        if bits.u(5) > 7:
            bits.u(1)
        states_removal = bool(has_model and bits.u(1))
        if states_removal:
            bits.u(2 * delay_bits + 1)
        if has_delay and bits.u(1):
            bits.u(4)
        models.append((idc, states_removal))
    width_bits, height_bits = bits.u(4) + 1, bits.u(4) + 1
    bits.u(width_bits + height_bits)
    delta_id_bits = id_bits = 0
    if bits.u(1):
        delta_id_bits = bits.u(4) + 2
        id_bits = bits.u(3) + delta_id_bits + 1
    bits.u(3)
    bits.u(4)
    has_order_hint = bits.u(1)
    bits.u(2 * has_order_hint)
    screen_content_tools = _SELECT if bits.u(1) else bits.u(1)
    integer_mv = _SELECT
    if screen_content_tools and not bits.u(1):
        integer_mv = bits.u(1)
    order_hint_bits = bits.u(3) + 1 if has_order_hint else 0
    return _Sequence(
        timing_bits=timing_bits,
        removal_bits=removal_bits,
        has_decoder_model=has_model,
        models=tuple(models),
        delta_id_bits=delta_id_bits,
        id_bits=id_bits,
        order_hint_bits=order_hint_bits,
        screen_content_tools=screen_content_tools,
        integer_mv=integer_mv,
    )
