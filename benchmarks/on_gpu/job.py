"""The whole job on one card, from file to keyframes, beside a plain pipeline in torch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import torch

from benchmarks.inputs import KINDS, prepare, prepare_clip, prepare_warm_up
from benchmarks.on_gpu.decoding import left_to_cpus
from benchmarks.on_gpu.figures import Figure, Goal, Setting
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.engine import Request
from spark_keyframes.selection import make_selector
from spark_keyframes.video import DecoderName

_TEXT = "a red spoon on a wooden table"
_VIDEOS = 48
_PLAIN_VIDEOS = 32
_MINUTES = 1
_BATCH = 64


def measure(setting: Setting) -> Iterator[Figure]:
    """Sample many videos with each decoder, then with the plain pipeline."""
    kind, minutes = ("1080p", _MINUTES) if setting.on_gpu else ("tiny", 1)
    path = prepare(KINDS[kind], minutes, cache=setting.cache, videos=setting.videos)
    folder = prepare_clip(setting.cache)
    names: list[DecoderName] = ["process", "gpu", "auto"] if setting.on_gpu else ["process"]
    rates: dict[str, float] = {}
    for name in setting.while_time(names, "the job, decoder"):
        videos = [path] * (_VIDEOS if setting.on_gpu else 1)
        try:
            with left_to_cpus() as left:
                per_second = _per_second(videos, name, folder, setting)
        except Exception as error:  # noqa: BLE001 - the others are worth the card's time
            yield Figure(f"the job, decoder={name}", "failed", note=str(error)[:100])
            continue
        rates[name] = minutes / 60 * per_second * 3600
        note = f"of {kind}; {len(left)} of {len(videos)} videos left to CPUs"
        yield Figure(f"the job, decoder={name}", rates[name], "hours/h", note=note)
    name, frames_of = _plain_decoder()
    for _ in setting.while_time([name], "a plain pipeline"):
        plain = _Plain(folder, setting.device, frames_of)
        plain(prepare_warm_up(cache=setting.cache))
        videos = [path] * (_PLAIN_VIDEOS if setting.on_gpu else 1)
        # One thread of torch for each: they would get in each other's way otherwise.
        pool = ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,))
        with pool:
            began = time.perf_counter()
            list(pool.map(plain, videos))
            rate = minutes / 60 * len(videos) / (time.perf_counter() - began) * 3600
        torch.set_num_threads(os.cpu_count() or 1)
        yield Figure(f"a plain pipeline, {name}", rate, "hours/h", note="a video per CPU")
        if rates:
            goal: Goal | None = ("≥", 3.0) if setting.on_gpu else None
            times = max(rates.values()) / rate
            yield Figure(f"the job, against the plain pipeline, {name}", times, "times", goal)


def _per_second(videos: list[Path], name: DecoderName, folder: Path, setting: Setting) -> float:
    """Return videos per second."""
    sampler = VideoAdaptiveKeyframesSampling(
        model_path=str(folder.parent),
        clip_model_name=folder.name,
        text=_TEXT,
        decoder=name,
        return_keyframes=False,
    )
    pipeline = sampler._pipeline(None)
    warm_up = [Request(str(prepare_warm_up(cache=setting.cache)), _TEXT)] * 2
    list(pipeline.run(warm_up, device=setting.device))
    began = time.perf_counter()
    requests = [Request(str(video), _TEXT) for video in videos]
    outcomes = list(pipeline.run(requests, device=setting.device, stop_on_failure=True))
    return len(outcomes) / (time.perf_counter() - began)


class _Plain:
    """What one would write: decode, transformers' image processor, CLIP in float16, AKS."""

    def __init__(
        self, folder: Path, device: torch.device, frames_of: Callable[[Path], Iterator[np.ndarray]]
    ) -> None:
        from transformers import CLIPModel, CLIPProcessor

        dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._model = CLIPModel.from_pretrained(folder, dtype=dtype).to(device).eval()
        self._processor = CLIPProcessor.from_pretrained(folder)
        self._device, self._dtype, self._frames_of = device, dtype, frames_of

    @torch.inference_mode()
    def __call__(self, video: Path) -> list[int]:
        text = self._processor(text=[_TEXT], return_tensors="pt", padding=True).to(self._device)
        of_text = self._model.get_text_features(**text).pooler_output
        scores: list[float] = []
        batch: list[np.ndarray] = []
        for frame in self._frames_of(video):
            batch.append(frame)
            if len(batch) == _BATCH:
                scores += self._scores(batch, of_text)
                batch = []
        scores += self._scores(batch, of_text) if batch else []
        selector = make_selector("aks", t1=0.8, t2=-100, all_depth=5)
        return sorted(selector.select(np.array(scores), 32))

    def _scores(self, batch: list[np.ndarray], of_text: torch.Tensor) -> list[float]:
        inputs = self._processor(images=batch, return_tensors="pt")["pixel_values"]
        pixels = inputs.to(self._device, self._dtype)
        found = self._model.get_image_features(pixel_values=pixels).pooler_output
        scores: list[float] = torch.cosine_similarity(found, of_text).tolist()
        return scores


def _plain_decoder() -> tuple[str, Callable[[Path], Iterator[np.ndarray]]]:
    try:
        import_module("torchcodec.decoders")
    except (ImportError, OSError, RuntimeError):
        return "PyAV (no torchcodec here)", _of_pyav
    return "torchcodec", _of_torchcodec


def _of_pyav(video: Path) -> Iterator[np.ndarray]:
    """Decode every frame, as one does without knowing which packets a candidate needs."""
    with av.open(str(video)) as container:
        second = 0
        for picture in container.decode(video=0):
            if picture.time is not None and picture.time >= second:
                yield picture.to_ndarray(format="rgb24")
                second += 1


def _of_torchcodec(video: Path) -> Iterator[np.ndarray]:
    decoder = import_module("torchcodec.decoders").VideoDecoder(str(video), num_ffmpeg_threads=1)
    end = int(decoder.metadata.end_stream_seconds)
    for first in range(0, end, _BATCH):
        seconds = [float(second) for second in range(first, min(end, first + _BATCH))]
        for frame in decoder.get_frames_played_at(seconds).data:
            yield frame.permute(1, 2, 0).numpy()
