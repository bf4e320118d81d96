"""The process that decodes inputs; it takes the place of a Spark worker.

For each input it reads a line of JSON and the input's bytes from standard input, and writes a line
of JSON to standard output.
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
import math
import os
import re
import resource
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from spark_keyframes.errors import KeyframesError, LimitError, ParameterError
from spark_keyframes.limits import Limits
from spark_keyframes.video import Decoder, make_decoder
from spark_keyframes.video.process.decode_process import ProcessExitedError
from spark_keyframes.video.process.process_video import ProcessVideo

_FPS = 5.0

_unraised: list[str] = []
"""Errors that Python prints but does not raise: in threads, and in __del__."""
_exit_reasons: list[str] = []
"""How decode processes ended while decoding the current input."""


def decode(decoder: Decoder, file: BinaryIO, hint: str | None, *, hold: bool) -> None:
    """Decode a video as the engine does, and check what the interface promises."""
    with decoder.open(file, format_hint=hint) as video:
        promised = video.candidate_count(_FPS)
        ids: list[int] = []
        last = 0.0
        for picture in video.candidates(_FPS, hold=hold):
            assert not ids or picture.frame_id > ids[-1], "frame ids do not increase"
            assert math.isfinite(picture.timestamp), f"timestamp {picture.timestamp}"
            assert picture.timestamp >= last, "timestamps go backwards"
            assert picture.nbytes > 0, "a frame without bytes"
            assert picture.rgb.ndim == 3, f"a picture of shape {picture.rgb.shape}"
            assert picture.rgb.shape[2] == 3, f"a picture of shape {picture.rgb.shape}"
            picture.rgb[-1, -1].tolist()  # crashes if the memory is shorter
            last = picture.timestamp
            ids.append(picture.frame_id)
            if len(ids) == 2:
                video.release(ids[:1])
        assert promised is None or len(ids) <= promised, f"{len(ids)} candidates, not {promised}"
        assert ids, "no candidate, and no error"
        wanted = sorted({ids[0], ids[len(ids) // 2], ids[-1]})
        again = [picture.frame_id for picture in video.frames_by_id(wanted)]
        assert again == wanted, f"frames {again}, not {wanted}"


def report_of(decoder: Decoder, data: bytes, request: dict[str, Any]) -> dict[str, Any]:
    """Decode an input and return its outcome, with a "defect" unless it is an expected one."""
    report: dict[str, Any] = {"outcome": "frames", "defect": ""}
    try:
        # The decode process reads a local file itself; everything else is served to it.
        with tempfile.TemporaryFile() if request["on_disk"] else io.BytesIO(data) as file:
            if request["on_disk"]:
                file.write(data)
                file.flush()
                file.seek(0)
            decode(decoder, file, request["hint"], hold=request["hold"])
    except Exception as error:  # noqa: BLE001 -- any error is reported
        limit = re.search(r"\bmax_\w+", str(error)) if isinstance(error, LimitError) else None
        report["outcome"] = type(error).__name__ + (f": {limit[0]}" if limit else "")
        report["message"] = str(error)[:500]
        # All parameters are valid here, so a ParameterError is a defect too.
        if not isinstance(error, KeyframesError) or isinstance(error, ParameterError):
            report["defect"] = traceback.format_exc()
        traceback.clear_frames(error.__traceback__)
    if _exit_reasons and report["outcome"] != "DecoderCrashedError":
        # The next process decoded the video, so the video did not cause the crash.
        report["defect"] += f"a decode process failed: {_exit_reasons[0]}"
    _exit_reasons.clear()
    if _unraised:
        report["defect"] += "\n".join(_unraised)
        _unraised.clear()
    return report


def usage() -> dict[str, int]:
    """Return the fields of `campaign_totals.Usage` of this process and its descendants."""
    children = _descendants(os.getpid())
    return {
        "memory": _memory(os.getpid()),
        "memory_below": sum(map(_memory, children)),
        "processes_below": len(children),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
    }


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # the process has ended meanwhile
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def _descendants(pid: int) -> list[int]:
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    except OSError:
        pass
    return found


def _record_unraised(args: Any) -> None:
    lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
    _unraised.append("not raised: " + "".join(lines))


def _record_exits() -> None:
    """Record each decode process that fails; the decoder hides it if the next attempt succeeds."""
    handle_exit = ProcessVideo._handle_exit

    def record(video: ProcessVideo, error: ProcessExitedError) -> None:
        _exit_reasons.append(str(error))
        handle_exit(video, error)

    ProcessVideo._handle_exit = record  # type: ignore[method-assign]


def main(decoder: Any, seconds: int, memory_bytes: int) -> None:
    """Decode inputs until the end of standard input, with these limits for each."""
    sys.unraisablehook = threading.excepthook = _record_unraised
    if decoder == "thread":
        # ThreadDecoder has no memory limit; this one protects the machine.
        resource.setrlimit(resource.RLIMIT_AS, (4 * memory_bytes, 4 * memory_bytes))
    _record_exits()
    limits = Limits(max_decode_seconds=seconds, max_decode_bytes=memory_bytes)
    decoders = {threads: make_decoder(decoder, threads, limits=limits) for threads in (1, 2)}
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # libraries may print to standard output
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        data = sys.stdin.buffer.read(request["size"])
        # SIGALRM ends the process, even while it is inside FFmpeg.
        signal.alarm(3 * seconds)
        report = report_of(decoders[request["threads"]], data, request)
        signal.alarm(0)
        if request["measure"]:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)  # freed memory that malloc keeps is not a leak
            report["usage"] = usage()
        answers.write(json.dumps(report).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
