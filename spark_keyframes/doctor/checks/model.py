"""The user's model: loads it and scores a drawn frame; else looks for the default one."""

import math
from collections.abc import Iterator

from spark_keyframes.doctor.finding import Finding, bad, good
from spark_keyframes.doctor.hub import default_model
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.scoring import score
from spark_keyframes.errors import KeyframesError


def check(options: Options) -> Iterator[Finding]:
    """Load the model that `model_path` and `clip_model_name` name."""
    if options.model_path is None:
        yield default_model(options.clip_model_name)
        return
    place = options.model_path or "the Hugging Face Hub"
    try:
        found = score(options.model_path, options.clip_model_name, options)
    except KeyframesError as error:
        yield bad("model", str(error), "see docs/models.md, or try the demo's model")
        return
    if not all(map(math.isfinite, found.scores)):
        yield bad(
            "model",
            f"{options.clip_model_name} of {place} scores {found.scores}",
            "its weights are damaged: get them again",
        )
        return
    yield good(
        "model",
        f"{found.kind} {options.clip_model_name} of {place}: loaded in {found.seconds:.1f} s, "
        f"scores a drawn spoon {found.scores[0]:.2f} for “spoon” ({found.device}, "
        f"{found.precision})",
    )
