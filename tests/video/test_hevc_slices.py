"""Parameter sets and slice headers of HEVC that are cut off, or of another layer."""

import io

import av
import pytest

from spark_keyframes.video.codecs.hevc_slices import HevcSlices
from tests.video.clips import clip_named


@pytest.fixture(scope="module")
def stream():
    """The header and the first packet of an MP4 with HEVC."""
    with av.open(io.BytesIO(clip_named("hevc mp4"))) as container:
        packet = next(container.demux(video=0))
        return bytes(container.streams.video[0].codec_context.extradata), bytes(packet)


def test_the_first_slice_tells_the_picture_order_count(stream):
    header, packet = stream
    head = HevcSlices(header).first_of(packet)
    assert head is not None
    assert (head.lowest, head.temporal_layer, head.is_output) == (0, 0, True)
    assert head.count_bits == 8


def test_headers_that_are_cut_off_anywhere_tell_nothing_wrong(stream):
    header, packet = stream
    whole = HevcSlices(header).first_of(packet)
    for end in range(len(header)):
        assert HevcSlices(header[:end]).first_of(packet) in (None, whole)
    for end in range(min(len(packet), 400)):
        assert HevcSlices(header).first_of(packet[:end]) in (None, whole)


def test_slices_of_another_layer_are_passed_over(stream):
    header, packet = stream
    slices = HevcSlices(header)
    size, kind = 4, 1
    foreign = bytes([kind << 1, 1 << 3 | 1, 0xFF, 0xFF])
    assert slices.first_of(len(foreign).to_bytes(size, "big") + foreign) is None
    assert slices.first_of(len(foreign).to_bytes(size, "big") + foreign + packet) is not None
