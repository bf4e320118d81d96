"""The demo's model, which the package brings: whether scoring works at all here."""

from collections.abc import Iterator

from spark_keyframes.demo import MODEL, MODELS
from spark_keyframes.doctor.finding import Finding, bad, good
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.scoring import score
from spark_keyframes.errors import KeyframesError

_NAME = "demo's model"


def check(options: Options) -> Iterator[Finding]:
    """Compare a drawn spoon with two texts, and see which one fits better."""
    try:
        found = score(str(MODELS), MODEL, options)
    except KeyframesError as error:
        yield bad(_NAME, str(error), "reinstall spark_keyframes: its wheel holds this model")
        return
    spoon, clock = found.scores
    text = f"scores a drawn spoon {spoon:.2f} for “spoon”, {clock:.2f} for “clock”"
    if not spoon > clock + 0.1:
        yield bad(
            _NAME, f"{text} ({found.device}, {found.precision})", "report it, with these lines"
        )
        return
    yield good(_NAME, f"{text} ({found.device}, {found.precision})")
