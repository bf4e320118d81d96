"""The faults that `TosServer` can inject, in a given order or at random.

| fault | what the client sees |
|---|---|
| "none" | no fault |
| an int, such as 503 | that status, with an error body |
| a Refusal | that status, with that code and those headers |
| "reset" | the connection is closed before the answer; nothing is stored |
| "stored, reset" | the same, but the object is stored: only the answer is lost |
| "reset in the body" | the connection is reset after half of the body, in either direction |
| "stall" | the request is read, and never answered |
| "truncate" | the first half of the body, then the connection is closed |
| "corrupt" | the body with one wrong bit, with the checksum of the right body |
| "corrupt in storage" | one wrong bit is stored, after all checks of the request |
| "replaced" | the object is replaced by another one before the answer |
| "not text" | status 500 with a body that is not UTF-8 |
| "not TOS" | status 200 from a server that is not TOS |
| "no token" | a page of a listing that does not say where the next one begins |
| "same token" | the same, with the token of the page itself |

A fault that does not apply to the request's method does nothing.
"""

import random
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refusal:
    """An error status as an answer."""

    status: int
    code: str = "TestError"
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


Fault = int | str | Refusal


class Faults(deque[Fault]):
    """A queue with the faults of the next requests. When it is empty, faults are random.

    Attributes:
        chances: method → fault → its probability for each request. The fault of the n-th request of
            a method for a key depends only on `seed`, not on the order of threads.
        seed: the seed of the random faults.
        happened: (method, fault) → the number of random faults.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chances: dict[str, dict[Fault, float]] = {}
        self.seed = 0
        self.happened: Counter[tuple[str, Fault]] = Counter()
        self._lock = threading.Lock()
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def next(self, method: str, bucket: str, key: str) -> Fault:
        """Return the fault of a new request."""
        with self._lock:
            if self:
                return self.popleft()
            request = method, bucket, key
            self._seen[request] += 1
            chances = self.chances.get(method, {})
            if not chances:
                return "none"
            rng = random.Random(f"{self.seed} {request} {self._seen[request]}")
            left = 1 - sum(chances.values())
            (fault,) = rng.choices(["none", *chances], [left, *chances.values()])
            if fault != "none":
                self.happened[method, fault] += 1
            return fault
