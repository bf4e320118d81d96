"""Compares clients of S3: this package's on botocore, s3fs, and obstore.

    python -m benchmarks.s3_clients [--rounds 3]

Each client reads one object of 100 MB and 500 of 100 KB from moto's server on loopback, and stores
500 of 100 KB, one after the other, in a process of its own. Medians are reported of the seconds to
the first byte, of the seconds and the CPU seconds of each task, and of the memory that the process
has gained at its peak. Then a new client is made and
reads in a process that was forked after a first read.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import signal
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tests.storage.s3_server import S3Server

LARGE, SMALL, COUNT = 100_000_000, 100_000, 500
PIECE = 1 << 20


def ours() -> tuple[Callable[[str], Any], Callable[[str, bytes], Any]]:
    from spark_keyframes.storage import open_url, write_url

    return (
        lambda key: open_url(f"s3://bucket/{key}"),
        lambda key, data: write_url(f"s3://bucket/{key}", data, content_type="image/jpeg"),
    )


def s3fs() -> tuple[Callable[[str], Any], Callable[[str, bytes], Any]]:
    import fsspec

    files = fsspec.filesystem("s3")
    return (
        lambda key: files.open(f"bucket/{key}", "rb"),
        lambda key, data: files.pipe_file(f"bucket/{key}", data),
    )


def obstore() -> tuple[Callable[[str], Any], Callable[[str, bytes], Any]]:
    import obstore
    from obstore.store import S3Store

    store = S3Store("bucket", client_options={"allow_http": True})

    class Body:
        def __init__(self, key: str) -> None:
            self.blocks = obstore.get(store, key).stream(PIECE)

        def read(self, size: int) -> bytes:
            return next(self.blocks, b"")

        def close(self) -> None:
            pass

    return Body, lambda key, data: obstore.put(store, key, data)


CLIENTS = {"ours, on botocore": ours, "s3fs": s3fs, "obstore": obstore}


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read(opening: Callable[[str], Any], key: str) -> tuple[int, float]:
    begin, first, size = time.perf_counter(), 0.0, 0
    file = opening(key)
    while block := file.read(PIECE):
        first = first or time.perf_counter() - begin
        size += len(block)
    file.close()
    return size, first


def measure(name: str, answer: Connection) -> None:
    opening, put = CLIENTS[name]()
    read(opening, "small-0")  # imports, and connects
    before, found = peak(), []
    begin, used = time.perf_counter(), cpu()
    size, first = read(opening, "large")
    assert size == LARGE, size
    found += [first, time.perf_counter() - begin, cpu() - used]
    begin, used = time.perf_counter(), cpu()
    assert sum(read(opening, f"small-{n}")[0] for n in range(COUNT)) == COUNT * SMALL
    found += [time.perf_counter() - begin, cpu() - used]
    begin, used = time.perf_counter(), cpu()
    for n in range(COUNT):
        put(f"out-{n}", bytes(SMALL))
    found += [time.perf_counter() - begin, cpu() - used, peak() - before]
    answer.send(found)


def forked(name: str, answer: Connection) -> None:
    opening, _ = CLIENTS[name]()
    read(opening, "small-0")
    child = os.fork()
    if not child:
        opening, _ = CLIENTS[name]()  # a new one
        os._exit(0 if read(opening, "small-1")[0] == SMALL else 1)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            answer.send("reads" if status == 0 else f"fails, {status}")
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    answer.send("hangs for more than 20 s")


def in_process(task: Callable[[str, Connection], None], name: str) -> Any:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=task, args=(name, there))
    process.start()
    try:
        return here.recv()
    finally:
        process.join(5)
        process.kill()


def serve(answer: Connection) -> None:
    with S3Server() as s3:
        s3.put("bucket", "large", size=LARGE)
        for n in range(COUNT):
            s3.client.put_object(Bucket="bucket", Key=f"small-{n}", Body=bytes(SMALL))
        answer.send(s3.environment)
        answer.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,))
    server.start()
    os.environ |= here.recv()
    rounds = [[in_process(measure, name) for name in CLIENTS] for _ in range(options.rounds)]
    print(f"{'':18} {'first':>6} {'100 MB':>13} {'500 reads':>13} {'500 writes':>13} {'MB':>5}")
    for name, samples in zip(CLIENTS, zip(*rounds, strict=True), strict=True):
        first, *pairs, memory = map(statistics.median, zip(*samples, strict=True))
        times = " ".join(
            f"{wall:6.2f} {used:6.2f}" for wall, used in zip(pairs[::2], pairs[1::2], strict=True)
        )
        print(f"{name:18} {first:6.3f} {times} {memory:5.0f}", flush=True)
    for name in CLIENTS:
        print(f"{name:18} in a process that was forked after a read: {in_process(forked, name)}")
    here.send("end")
    server.join()


if __name__ == "__main__":
    main()
