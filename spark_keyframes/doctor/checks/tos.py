"""TOS: whether the variables of its client are there, and valid. Nothing is sent."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.errors import KeyframesError

_NAMES = (
    *("ACCESS_KEY", "SECRET_KEY", "TOS_ACCESS_KEY", "TOS_SECRET_KEY", "TOS_SECURITY_TOKEN"),
    *("TOS_ENDPOINT", "TOS_REGION"),
)


def check(options: Options) -> Iterator[Finding]:
    """Read the settings as the storage does."""
    where = "the environment of the executors" if options.in_task else "the environment"
    if find_spec("tos") is None:
        yield note("TOS", "tos:// cannot be used: the SDK is missing", "run pip install tos")
        return
    from spark_keyframes.storage.tos.environment import read_settings

    if not any(os.environ.get(name, "").strip() for name in _NAMES):
        how = "spark.executorEnv.NAME sets them there" if options.in_task else "if you use tos://"
        yield note(
            "TOS",
            f"no credentials in {where}",
            f"set ACCESS_KEY, SECRET_KEY and TOS_REGION ({how})",
        )
        return
    try:
        settings = read_settings(stage="parameters")
    except KeyframesError as error:
        text, _, advice = str(error).partition("; ")
        yield bad("TOS", text, advice or "see docs/storage.md")
        return
    token = ", TOS_SECURITY_TOKEN" if settings.security_token else ""
    yield good(
        "TOS",
        f"credentials in {where} ({', '.join(settings.key_names)}{token}), not tried; "
        f"{settings.endpoint}, region {settings.region}",
    )
