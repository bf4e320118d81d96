"""Measures the time to the candidates of a remote video: downloaded whole, or read in parts.

    python -m benchmarks.remote [--scheme http s3] [--latency 0 20 80] [--bandwidth 0 20 5]
        [--minutes 2] [--connections 4] [--first] [--fps 1.0] [--rounds 3]

A server on loopback, in its own process, waits `latency` milliseconds before each answer and sends
at most `bandwidth` MB/s per connection (0: no limit). "whole" downloads the video with one request
and then opens it. "parts" is what `open_url` does. The sides alternate. Medians are reported of the
seconds to the first and last candidate, and of the megabytes and requests that the server counted.
With --first, decoding stops after the first candidate. With --scheme s3, the same server is read
as S3, through botocore.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

import av
import requests

from benchmarks.inputs import CACHE, KINDS, prepare
from spark_keyframes.errors import SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.storage import Access, open_url
from spark_keyframes.storage.download import parts
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import RemoteFile
from spark_keyframes.storage.download.temporary import save
from spark_keyframes.storage.http import http_storage
from spark_keyframes.storage.s3 import s3_storage
from spark_keyframes.storage.s3.address import bucket_and_key
from spark_keyframes.video import open_video

_PIECE = 64 << 10
S3_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
}


def serve(folder: Path, latency: float, bandwidth: float, ready: Connection) -> None:
    """Serve the files of a folder; `/.seen` returns and resets the counts of requests and bytes."""
    seen = [0, 0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/.seen":
                text = f"{seen[0]} {seen[1]}".encode()
                self.answer(200, io.BytesIO(text), len(text))
                seen[:] = [0, 0]
                return
            seen[0] += 1
            time.sleep(latency)
            path = folder / self.path.rpartition("/")[2]  # in S3, the bucket is before it
            size = path.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            with path.open("rb") as file:
                if not asked:
                    self.answer(200, file, size, ETag='"1"')
                    return
                start, stop = int(asked[1]), min(int(asked[2]) + 1, size)
                file.seek(start)
                span = f"bytes {start}-{stop - 1}/{size}"
                self.answer(206, file, stop - start, ETag='"1"', Content_Range=span)

        def answer(self, status: int, data: BinaryIO, size: int, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(size))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            begin = time.perf_counter()
            with contextlib.suppress(OSError):
                for sent in range(0, size, _PIECE):
                    if bandwidth:
                        time.sleep(max(0.0, begin + sent / bandwidth - time.perf_counter()))
                    piece = min(_PIECE, size - sent)
                    self.wfile.write(data.read(piece))
                    seen[1] += piece

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    ready.send(server.server_port)
    server.serve_forever()


@contextlib.contextmanager
def server(folder: Path, latency: float, bandwidth: float) -> Iterator[str]:
    here, there = multiprocessing.Pipe()
    arguments = (folder, latency / 1e3, bandwidth * 1e6, there)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def open_whole(url: str) -> BinaryIO:
    source: RemoteFile
    if url.startswith("s3:"):
        source = s3_storage.S3Object(url, *bucket_and_key(url, SourceReadError))
    else:
        source = http_storage.HttpFile(url, Access())
    with contextlib.closing(source):
        meter = Meter(url, Limits())
        return save(url, source.get(0, None).body(url, meter), meter)


def candidates(
    opening: Callable[[str], BinaryIO], url: str, fps: float, only_first: bool
) -> list[float]:
    begin = time.perf_counter()
    with opening(url) as file, open_video(file) as video:
        frames = video.candidates(fps)
        next(frames)
        first = time.perf_counter() - begin
        for _ in () if only_first else frames:
            pass
        last = time.perf_counter() - begin
    count, size = requests.get(f"{os.environ['AWS_ENDPOINT_URL']}/.seen", timeout=10).text.split()
    return [first, last, int(size) / 1e6, int(count)]


def faststart(path: Path) -> Path:
    """Return the same packets with the index at the front."""
    target = path.with_name(f"{path.stem}-faststart.mp4")
    if not target.exists():
        with (
            av.open(str(path)) as source,
            av.open(str(target), "w", container_options={"movflags": "faststart"}) as output,
        ):
            copy = output.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = copy
                    output.mux(packet)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scheme", choices=["http", "s3"], nargs="+", default=["http"])
    parser.add_argument("--latency", type=float, nargs="+", default=[0, 20, 80], help="ms")
    parser.add_argument("--bandwidth", type=float, nargs="+", default=[0, 20, 5], help="MB/s")
    parser.add_argument("--minutes", type=int, default=2)
    parser.add_argument("--kind", choices=KINDS, default="720p")
    parser.add_argument("--connections", type=int, nargs="+", default=[parts.CONNECTIONS])
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--fps", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=CACHE)
    options = parser.parse_args()
    path = prepare(KINDS[options.kind], options.minutes, cache=options.cache)
    print(f"{path.name}, {path.stat().st_size / 1e6:.0f} MB; seconds to the first, last candidate")
    print(
        f"{'':4} {'ms':>4} {'MB/s':>5} {'index':>6} {'side':24} "
        f"{'first':>7} {'last':>7} {'MB':>7} {'requests':>8}"
    )
    for latency, bandwidth in product(options.latency, options.bandwidth):
        with server(path.parent, latency, bandwidth) as url:
            os.environ |= S3_ENVIRONMENT | {"AWS_ENDPOINT_URL": url}
            for scheme, (video, where) in product(
                options.scheme, ((path, "end"), (faststart(path), "start"))
            ):
                label = f"{scheme:4} {latency:4g} {bandwidth:5g} {where:>6}"
                root = "s3://videos" if scheme == "s3" else url
                compare(label, f"{root}/{video.name}", options)


def compare(label: str, url: str, options: argparse.Namespace) -> None:
    sides: dict[str, Callable[[], list[float]]] = {
        "whole": partial(candidates, open_whole, url, options.fps, options.first)
    }
    for connections in options.connections:
        sides[f"parts, {connections} connections"] = partial(
            in_parts, connections, url, options.fps, options.first
        )
    rounds = [[side() for side in sides.values()] for _ in range(options.rounds)]
    for name, samples in zip(sides, zip(*rounds, strict=True), strict=True):
        first, last, size, count = map(statistics.median, zip(*samples, strict=True))
        print(f"{label} {name:24} {first:7.2f} {last:7.2f} {size:7.1f} {count:8.0f}", flush=True)


def in_parts(connections: int, url: str, fps: float, only_first: bool) -> list[float]:
    parts.CONNECTIONS = connections
    return candidates(open_url, url, fps, only_first)


if __name__ == "__main__":
    main()
