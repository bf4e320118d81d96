"""What may go wrong with a request to `TosServer`, one after the other or by chance.

| fault | what the client sees |
|---|---|
| "none" | nothing goes wrong |
| an int, such as 503 | that status, with an error body |
| a Refusal | that status, with that code and those headers |
| "reset" | the connection closed before any answer; nothing is stored |
| "stored, reset" | the same, but the request was carried out: its answer is lost |
| "reset in the body" | the connection reset when half of the body has been sent, either way |
| "stall" | the request is taken in, and never answered |
| "truncate" | the first half of the body, then the connection closed |
| "corrupt" | the body with one bit turned, under the checksum of the true one |
| "misfiled" | stored with one bit turned, after all checks on arrival |
| "replaced" | the object is another from now on |
| "garbage" | status 500 with a body that is not even text |
| "foreign" | status 200 from something else than TOS |

What is not for the request's method does nothing.
"""

import random
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error."""

    status: int
    code: str = "TestError"
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


Fault = int | str | Refusal


class Faults(deque[Fault]):
    """What goes wrong with the next requests, one each, first to last; then what chance brings.

    Attributes:
        chances: method → fault → how probable it is for each request. What happens to the n-th
            request of a method for a key depends on `seed` alone, not on the order of threads.
        seed: of `chances`.
        happened: (method, fault) → how often it came by chance.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chances: dict[str, dict[Fault, float]] = {}
        self.seed = 0
        self.happened: Counter[tuple[str, Fault]] = Counter()
        self._lock = threading.Lock()
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def next(self, method: str, bucket: str, key: str) -> Fault:
        """What goes wrong with this request, which has just come in."""
        with self._lock:
            if self:
                return self.popleft()
            request = method, bucket, key
            self._seen[request] += 1
            chances = self.chances.get(method, {})
            if not chances:
                return "none"
            dice = random.Random(f"{self.seed} {request} {self._seen[request]}")
            left = 1 - sum(chances.values())
            (fault,) = dice.choices(["none", *chances], [left, *chances.values()])
            if fault != "none":
                self.happened[method, fault] += 1
            return fault
