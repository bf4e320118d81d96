# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Does the least work possible: decode the packets that are needed, run CLIP's vision tower.

The tower is that of transformers, or with --packed that of spark_keyframes.

There is no colour conversion, resizing, text, selection or check. Packets are grouped in GOPs,
which are closed in the inputs. Each group is decoded up to its last candidate; other frames are
skipped if no frame refers to them. CLIP gets random pixels, as many as there are candidates.
"""

import contextlib
import time
from fractions import Fraction

import av
import torch
from transformers import CLIPModel
from worker import arguments, serve

BATCH = 16

options = arguments()
half = options.precision == "bfloat16"
model = CLIPModel.from_pretrained(options.model).eval()
if options.packed:
    from spark_keyframes.clip import Preprocessor, vision_tower

    pixels = torch.randint(0, 256, (BATCH, 3, 224, 224), dtype=torch.uint8)
    settings = Preprocessor(224, 224, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    embed = vision_tower(model, settings, options.precision).embed
else:
    pixels = torch.randn(BATCH, 3, 224, 224)

    @torch.autocast("cpu", torch.bfloat16, enabled=half)
    def embed(batch):
        model.vision_model(pixel_values=batch)


def decode(video, fps):
    with av.open(video) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        codec.thread_count = 1
        packets = [packet for packet in container.demux(stream) if packet.size]
        times = sorted(packet.pts for packet in packets)
        step = 1 / (Fraction(fps) * stream.time_base)
        wanted, due = set(), Fraction(times[0])
        for time, end in zip(times, [*times[1:], 2 * times[-1] - times[-2]], strict=True):
            if due < end:
                wanted.add(time)
                while due < end:
                    due += step
        starts = [number for number, packet in enumerate(packets) if packet.is_keyframe]
        count = 0
        for start, stop in zip(starts, [*starts[1:], len(packets)], strict=True):
            group = packets[start:stop]
            last = max((n for n, packet in enumerate(group) if packet.pts in wanted), default=-1)
            for packet in group[: last + 1]:
                codec.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
                count += sum(frame.pts in wanted for frame in codec.decode(packet))
            with contextlib.suppress(EOFError):
                count += sum(frame.pts in wanted for frame in codec.decode(None))
            codec.flush_buffers()
        return count


def run(video, fps):
    begin = time.process_time()
    count = decode(video, fps)
    decoded = time.process_time()
    with torch.inference_mode():
        for first in range(0, count, BATCH):
            embed(pixels[: count - first])
    seconds = {"decode": decoded - begin, "clip": time.process_time() - decoded}
    return {"frame_ids": [], "scored": count, "seconds": seconds}


serve(run)
