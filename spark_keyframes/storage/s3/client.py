"""The client of botocore, one per process: its settings, its connections, its credentials.

botocore finds the credentials by its own chain: environment, profile, SSO, web identity, container,
instance. It sends each request once: this package retries, so that its limits apply.
"""

import functools
import os
import threading
from typing import Any

from spark_keyframes.errors import CredentialsError, ParameterError, UnsupportedSchemeError
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.storage.http.connections import LONGEST_ERROR, pools
from spark_keyframes.storage.package_logs import of_this_package, redact_logs
from spark_keyframes.urls import scheme_of

# Seconds to connect: enough for two lost packets, which are sent again after 1 and 3 s.
CONNECT_TIMEOUT = 5.0
# Seconds without any data. A healthy server begins its answer within a fraction of a second.
SOCKET_TIMEOUT = 20.0
_CONNECTIONS = 32  # kept open, for all objects
_LONGEST_ANSWER = 16 << 20  # bytes of a listing; 1,000 keys of 1,024 bytes, escaped, take 7 MB

_WITHOUT_SPACES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
)

_lock = threading.Lock()
_built: tuple[frozenset[tuple[str, str]], Any] | None = None


def _reset() -> None:
    """Reset a forked child, where the lock may be held by a thread that does not exist."""
    global _lock, _built
    _lock, _built = threading.Lock(), None


os.register_at_fork(after_in_child=_reset)


def check_installed(url: str, *, stage: str) -> None:
    """Raise UnsupportedSchemeError, of that stage, unless botocore is installed."""
    try:
        import botocore  # noqa: F401
    except ImportError:
        raise UnsupportedSchemeError(
            f"{scheme_of(url)}:// needs botocore, got {redact_url(url)}; run "
            "pip install 'spark_keyframes[s3]' on the driver and the executors",
            stage=stage,
        ) from None


def client_for(url: str, *, stage: str) -> Any:
    """Return this process's client; a change of the environment takes effect."""
    global _built  # noqa: PLW0603
    check_installed(url, stage=stage)
    settings = environment()
    with _lock:
        if _built is None or _built[0] != settings:
            _built = settings, build_client(stage=stage)
        return _built[1]


def forget_client() -> None:
    """Make the next request look for credentials again: those of a file may be new ones."""
    global _built  # noqa: PLW0603
    _built = None


def environment() -> frozenset[tuple[str, str]]:
    """Return the variables that make a client."""
    return frozenset(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith("AWS_") or name.lower().endswith("_proxy")
    )


def request_payer() -> dict[str, str]:
    """Return the argument for buckets whose readers pay, if they are to."""
    payer = os.environ.get("AWS_REQUEST_PAYER", "").strip().lower()
    return {"RequestPayer": "requester"} if payer in ("requester", "true") else {}


def build_client(*, stage: str, timeout: float | None = None) -> Any:
    """Return a new client; `timeout` replaces both timeouts.

    Raises:
        CredentialsError: the profile does not exist, or names what does not.
        ParameterError: a variable is invalid.
    """
    import botocore.config
    import botocore.session
    from botocore import UNSIGNED, exceptions

    _check_spaces(stage)
    style = "virtual" if _is_set("AWS_VIRTUAL_HOSTED_STYLE_REQUEST") else None
    config = botocore.config.Config(
        connect_timeout=timeout or CONNECT_TIMEOUT,
        read_timeout=timeout or SOCKET_TIMEOUT,
        max_pool_connections=_CONNECTIONS,
        retries={"total_max_attempts": 1, "mode": "standard"},
        signature_version=UNSIGNED if sends_no_credentials() else None,
        # An MD5 is sent instead: not every storage that speaks S3 knows the newer checksums.
        **_known(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
        **({"s3": {"addressing_style": style}} if style else {}),
    )
    redact_logs()  # its modules are imported
    try:
        with of_this_package():
            session = botocore.session.Session()
            session.register_component("data_loader", _loader())
            # botocore reads AWS_DEFAULT_REGION only; Java and Spark people set AWS_REGION.
            client = session.create_client(
                "s3", region_name=os.environ.get("AWS_REGION") or None, config=config
            )
    except (ValueError, exceptions.InvalidRegionError) as error:
        raise ParameterError(
            f"no client for S3: {redact_text(str(error))}; check AWS_ENDPOINT_URL_S3 and "
            "AWS_ENDPOINT_URL, which begin with https:// or http://, and AWS_REGION",
            stage=stage,
        ) from None
    except exceptions.BotoCoreError as error:  # of the profile and what it names
        raise CredentialsError(
            f"no client for S3: {redact_text(str(error))}; check AWS_PROFILE, and the files of "
            "the AWS CLI on the driver and the executors",
            stage=stage,
        ) from None
    _use_own_connections(client)
    redact_logs()
    return client


def _known(**options: str) -> dict[str, Any]:
    """Return the options that this botocore has. Before 1.36 it had none for checksums."""
    from botocore.config import Config

    return {name: value for name, value in options.items() if name in Config.OPTION_DEFAULTS}


def _check_spaces(stage: str) -> None:
    """Raise ParameterError if a variable was filled with the line end of a file, or with spaces.

    botocore signs with it, and then fails to send the request.
    """
    for name in _WITHOUT_SPACES:
        value = os.environ.get(name, "")
        if value != value.strip() or not value.isprintable():
            # Without the value, which may be a key.
            raise ParameterError(
                f"no client for S3: {name} holds a line end, or white space around its value; set "
                "it without, on the driver and the executors",
                stage=stage,
            )


@functools.cache
def _loader() -> Any:
    """Return what reads botocore's description of S3, which takes 0.1 s, once per process."""
    from botocore.loaders import create_loader

    return create_loader(os.environ.get("AWS_DATA_PATH"))


def sends_no_credentials() -> bool:
    """Return whether requests are sent without credentials, for public buckets."""
    return _is_set("AWS_SKIP_SIGNATURE")


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes")


def _use_own_connections(client: Any) -> None:
    """Send the client's requests over connections that can be interrupted, within the limits."""
    session = client._endpoint.http_session
    session._pool_classes_by_scheme = session._manager.pool_classes_by_scheme = pools()
    own_send = session.send

    def send(request: Any) -> Any:
        wants_stream, request.stream_output = request.stream_output, True
        response = own_send(request)
        is_error = response.status_code >= 300
        if is_error or not wants_stream:
            # botocore would read it to its end, however long it is.
            longest = LONGEST_ERROR if is_error else _LONGEST_ANSWER
            response._content = response.raw.read(longest, decode_content=True)
            response.raw.close()  # unless it was read to its end, and gives the connection back
        return response

    session.send = send
