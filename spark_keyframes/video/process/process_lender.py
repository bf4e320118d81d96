"""Lends decode processes, of the CPU or of a GPU, to the videos of one decoder."""

from __future__ import annotations

import math
import threading
from dataclasses import asdict

from spark_keyframes.errors import AcceleratorError
from spark_keyframes.limits import Limits
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.process.answers import Failed, done
from spark_keyframes.video.process.decode_process import DecodeProcess, ProcessExitedError
from spark_keyframes.video.process.expected_pictures import AT_ONCE
from spark_keyframes.video.process.process_pool import process_pool

# An H100 and an H200 have 7 decoders. A video leaves its own idle while its pictures are copied.
_VIDEOS_PER_CARD = 8
_CARD_SECONDS = 60.0  # to load the driver and set up its state, on a machine that is busy


class ProcessLender(Closeable):
    """What the videos of a decoder share: their processes, and how they are decoded.

    Args:
        threads: decode threads on CPUs.
        limits: of each video.
        prefetch: decode while the engine uses a picture.
        video_stream: of each video.
        card: number of the GPU that decodes; None: CPUs do.
        only_card: give each video to the card, and to a CPU only if the card does not decode it.
            False: to the card while it has few, then to CPUs.

    Raises:
        AcceleratorError: there is no such GPU, or it does not decode.
    """

    def __init__(
        self,
        threads: int,
        *,
        limits: Limits = Limits(),
        prefetch: bool = True,
        video_stream: int | None = None,
        card: int | None = None,
        only_card: bool = False,
    ) -> None:
        self.limits = limits
        of_json = {k: None if math.isinf(v) else v for k, v in asdict(limits).items()}
        self.how = {"threads": threads, "limits": of_json, "video_stream": video_stream}
        """Arguments of the command that opens a video."""
        self.buffers = 2 if prefetch else 1
        """Frame buffers per process. With 2, it decodes into one while the engine uses another."""
        self.pictures_at_once = AT_ONCE
        """The most pictures in a buffer."""
        self._card_videos = 0 if card is None else _VIDEOS_PER_CARD
        self.videos_at_once = self._card_videos + (0 if card is not None and only_card else threads)
        self._at_work: set[DecodeProcess] = set()
        self._card, self._only_card = card, only_card
        self._on_card = 0
        """Videos that the card decodes."""
        self._is_closed = False
        self._lock = threading.Lock()
        if card is not None:
            _check_card(card)
        process_pool().warm_up()

    def acquire(self, *, is_new: bool, may_use_card: bool) -> DecodeProcess:
        """Return a process for a video.

        Args:
            is_new: return no idle one.
            may_use_card: return one that decodes on the card, if there is a card that is free.
        """
        card = self._take_card() if may_use_card else None
        try:
            process = process_pool().acquire(is_new=is_new, card=card)
        except BaseException:
            self._give_back_card(card)
            raise
        with self._lock:
            if not self._is_closed:
                process.videos += 1
                self._at_work.add(process)
                return process
        self.release(process)
        raise RuntimeError("the decoder was closed")

    def release(self, process: DecodeProcess) -> None:
        """Return a process to the pool, usable or not."""
        with self._lock:
            self._at_work.discard(process)
        self._give_back_card(process.card)
        process_pool().release(process)

    def _take_card(self) -> int | None:
        """Return the card if it is free for another video."""
        with self._lock:
            if self._card is None or not (self._only_card or self._on_card < self._card_videos):
                return None
            self._on_card += 1
            return self._card

    def _give_back_card(self, card: int | None) -> None:
        with self._lock:
            self._on_card -= card is not None

    def close(self) -> None:
        """Implement `Decoder.close`."""
        with self._lock:
            self._is_closed = True
            for process in self._at_work:
                process.kill()


def _check_card(card: int) -> None:
    """Raise AcceleratorError unless a GPU decodes. Only its process loads the driver."""
    process = process_pool().acquire(card=card)
    try:
        process.send("check_card", done)
        answer = process.receive(_CARD_SECONDS)
        if answer is None:
            raise AcceleratorError(
                f"GPU {card} did not begin to decode within {_CARD_SECONDS:g} s; look at nvidia-smi"
            )
        if isinstance(answer, Failed):
            raise answer.error or AcceleratorError(f"GPU {card} does not decode")
    except ProcessExitedError as error:
        raise AcceleratorError(f"GPU {card} does not decode, the process failed: {error}") from None
    except BaseException:
        process.kill()
        raise
    finally:
        process_pool().release(process)
