"""Decodes many mutated videos and prints the totals.

python -m tests.fuzz.campaign --inputs 20000
python -m tests.fuzz.campaign --one h264-mp4:spliced-box:1234 --save input.mp4
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import IO, Any

from tests.fuzz.campaign_totals import CRASHED, SHORT_OF_MEMORY, TOO_LONG, CampaignTotals, as_text
from tests.fuzz.mutations import MUTATIONS, mutated
from tests.fuzz.pairs import PAIRS

REPO = Path(__file__).parents[2]
TIME_LIMIT = 20
"""Decode time limit of one input in seconds; after three times as many, it counts as a hang."""
MEMORY_LIMIT = 4 * 2**30
"""Bytes of address space of the process that decodes."""
_ROUND = len(PAIRS) * len(MUTATIONS)


class FuzzWorker:
    """A process that runs `tests.fuzz.fuzz_worker`; it is restarted after a crash."""

    def __init__(self, decoder: str, time_limit: int, memory_limit: int) -> None:
        self._arguments = [decoder, str(time_limit), str(memory_limit)]
        self.starts = 0
        self._start()

    def _start(self) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the pipes
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.fuzz_worker", *self._arguments],
            cwd=REPO,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.starts += 1

    def report_of(self, name: str, *, measure: bool = False) -> dict[str, Any]:
        """Decode the input and return the worker's report, or one about its crash."""
        data = mutated(name)
        pair, _, seed = name.split(":")
        request = {
            "size": len(data),
            # The seed varies what rows vary: with or without a hint, from a file or from memory,
            # in one or two threads, with frames held or not.
            "hint": PAIRS[pair].hint if int(seed) % 2 else None,
            "on_disk": not int(seed) % 2,
            "threads": 1 + int(seed) // 2 % 2,
            "hold": bool(int(seed) // 4 % 2),
            "measure": measure,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n" + data)
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        return json.loads(line) if line else self._died()

    def _died(self) -> dict[str, Any]:
        status = self._process.wait()
        self._errors.seek(0)
        stderr = self._errors.read().decode(errors="replace")[-2000:]
        self._close_pipes()
        self._start()
        outcome = TOO_LONG if status == -signal.SIGALRM else CRASHED
        return {"outcome": outcome, "defect": f"the worker ended with status {status}\n{stderr}"}

    def close(self) -> None:
        """End the process."""
        self._close_pipes()
        self._process.wait()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()


def names(inputs: int, first_seed: int = 0, only: tuple[str, ...] = ("",)) -> Iterator[str]:
    """Yield names of inputs: for each seed, all pairs with all mutations, shuffled.

    Only pairs whose name contains one of the texts of `only`.
    """
    pairs = [pair for pair in PAIRS if any(text in pair for text in only)]
    if not pairs:
        raise ValueError(f"no pair contains {' or '.join(only)}; the pairs are {', '.join(PAIRS)}")
    left = inputs
    for seed in itertools.count(first_seed):
        every = [f"{pair}:{mutation}:{seed}" for pair in pairs for mutation in MUTATIONS]
        Random(seed).shuffle(every)
        yield from every[:left]
        left -= len(every)
        if left <= 0:
            return


def run(
    inputs: Iterable[str],
    count: int,
    *,
    processes: int = 1,
    decoder: str = "process",
    time_limit: int = TIME_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
    show: Callable[[str], None] = lambda _: None,
) -> CampaignTotals:
    """Decode `count` inputs in `processes` workers and return the totals."""
    totals = CampaignTotals()
    lock = threading.Lock()
    source = iter(inputs)
    began = time.monotonic()
    every = max(count // 200, 1)

    def work(number: int) -> None:
        worker = FuzzWorker(decoder, time_limit, memory_limit)
        while True:
            with lock:
                name = next(source, None)
            if name is None:
                break
            started = time.monotonic()
            report = worker.report_of(name, measure=totals.inputs % every == 0)
            seconds = time.monotonic() - started
            if report["outcome"] == SHORT_OF_MEMORY:
                report["defect"] = _check_alone(name, report, decoder, time_limit, memory_limit)
            with lock:
                totals.add(name, report, seconds, (number, worker.starts))
                if report.get("defect"):
                    show(f"{name}: {totals.findings[-1].what}")
                elif totals.inputs % (10 * every) == 0:
                    memory = totals.usage[-1].total_memory / 1024 if totals.usage else 0
                    so_far = time.monotonic() - began
                    show(f"{totals.inputs} of {count}, {so_far:.0f} s, {memory:.1f} MiB")
        worker.close()
        totals.worker_starts += worker.starts

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(work, range(processes)))
    totals.seconds = time.monotonic() - began
    return totals


def _check_alone(name: str, report: dict[str, Any], *limits: Any) -> str:
    """Return a defect if the input has another outcome in a fresh process, otherwise ""."""
    worker = FuzzWorker(*limits)
    alone = worker.report_of(name)
    worker.close()
    if alone["outcome"] == report["outcome"]:
        return ""
    return f"{report['message']}\n{report['outcome']}, but {alone['outcome']} in a fresh process"


def main() -> int:
    """Run the command line; return 1 if there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.campaign", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--decoder", choices=("process", "thread"), default="process")
    parser.add_argument(
        "--seed", type=int, default=0, help=f"first seed; each seed gives {_ROUND} inputs"
    )
    parser.add_argument(
        "--only", nargs="+", default=[""], help="only pairs whose name contains one of these"
    )
    parser.add_argument("--report", type=Path, help="also write the totals to this file")
    parser.add_argument("--one", metavar="NAME", help="decode only this input, pair:mutation:seed")
    parser.add_argument("--save", type=Path, help="with --one: write the input to this file")
    arguments = parser.parse_args()
    if arguments.save:
        arguments.save.write_bytes(mutated(arguments.one))
    every = names(arguments.inputs, arguments.seed, tuple(arguments.only))
    inputs = [arguments.one] if arguments.one else every
    count = 1 if arguments.one else arguments.inputs
    totals = run(
        inputs, count, processes=arguments.processes, decoder=arguments.decoder, show=print
    )
    text = as_text(totals)
    print(text)
    if arguments.report:
        arguments.report.write_text(text)
    return 1 if totals.findings else 0


if __name__ == "__main__":
    sys.exit(main())
