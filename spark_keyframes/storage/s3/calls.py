"""Sends one request through botocore, and translates its errors."""

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

from spark_keyframes.error_chain import root_cause
from spark_keyframes.errors import (
    BucketNotFoundError,
    CredentialsError,
    KeyframesError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.storage.package_logs import of_this_package
from spark_keyframes.storage.retry import TransientError, retry_after
from spark_keyframes.storage.s3.client import forget_client, sends_no_credentials

T = TypeVar("T")

_WHERE = "in the environment of the driver and of the executors"
# Codes of refused credentials, whatever the status.
_UNKNOWN = ("AccessKey", "Signature", "Token", "Authorization", "Credential", "TimeTooSkewed")
# Statuses 400 and 409 that another attempt may cure.
_TRANSIENT = ("BadDigest", "IncompleteBody", "OperationAborted", "RequestTimeout", "SlowDown",
              "XAmzContentSHA256Mismatch")  # fmt: skip


def call(request: Callable[[], T], url: str, client: Any, *, stage: str) -> T:
    """Send one request, and return its result.

    Raises:
        TransientError: status 408, 429 or 5xx, data damaged in transit, or no answer from S3.
        CredentialsError: there are none, or they were refused.
        ParameterError: the endpoint is invalid.
        KeyframesError: any other error status.
    """
    from botocore import exceptions

    kind, action = _kind_and_action(stage)
    endpoint = client.meta.endpoint_url
    try:
        with of_this_package():
            return request()
    except exceptions.ClientError as error:
        refused = functools.partial(_refusal, error, url, endpoint, stage=stage)
        if is_transient(error):
            wait = retry_after(_headers(error))
            raise TransientError(lambda attempts: refused(attempts=attempts), wait=wait) from None
        failed = refused()
        if isinstance(failed, CredentialsError):
            forget_client()
        raise failed from None
    except exceptions.EndpointProviderError as error:
        raise ParameterError(
            f"no address in S3 for {redact_url(url)}: {redact_text(str(error))}; check "
            "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and AWS_REGION",
            stage=stage,
        ) from None
    except Exception as error:  # noqa: BLE001 - botocore raises any error of parsing an answer
        if re.search("Credential|Token|Metadata", type(error).__name__):
            lacking = _no_credentials(error, url, stage)
            if "Retrieval" not in type(error).__name__:
                raise lacking from None
            # The service that gives them may be busy.
            raise TransientError(lambda attempts: lacking) from None
        reason = root_cause(getattr(error, "kwargs", {}).get("error") or error)
        raise TransientError(
            lambda attempts: kind(
                f"could not {action} {redact_url(url)}{in_attempts(attempts)}: {reason}; check "
                f"that the executors reach {redact_url(endpoint)} (AWS_ENDPOINT_URL_S3, "
                "AWS_ENDPOINT_URL, AWS_REGION)"
            )
        ) from None


def is_transient(error: Any) -> bool:
    """Return whether an error status may go away."""
    status = _status(error)
    return status in (408, 429) or status >= 500 or _code(error) in _TRANSIENT


def in_attempts(attempts: int) -> str:
    """Return " in 4 attempts", or "" for one."""
    return f" in {attempts} attempts" if attempts > 1 else ""


def _no_credentials(error: Exception, url: str, stage: str) -> CredentialsError:
    forget_client()
    return CredentialsError(
        f"no credentials for S3, which {redact_url(url)} needs: {redact_text(str(error))}; set "
        f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, {_WHERE}, or give the "
        "machines a role. For a public bucket, set AWS_SKIP_SIGNATURE to true",
        stage=stage,
    )


def _refusal(
    error: Any, url: str, endpoint: str, *, stage: str, attempts: int = 1
) -> KeyframesError:
    """Return the error to raise for an error status."""
    # Without the server's message, which may repeat the access key or the signed text.
    status, code = _status(error), _code(error)
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId") or "none"
    details = (
        f"{redact_url(url)}{in_attempts(attempts)}: status {status}, code "
        f"{redact_text(code)[:100] or 'none'}, request id {redact_text(str(request_id))[:100]}"
    )
    kind, action = _kind_and_action(stage)
    if status == 412:
        return kind(f"the object changed while it was read, {details}; try again")
    if code == "InvalidObjectState":
        return kind(f"S3 keeps this object in an archive, {details}; restore it first")
    if status in (301, 307, 308) or code in ("IllegalLocationConstraintException",):
        return kind(
            f"S3 could not {action} {details}; the bucket is in another region or at another "
            f"endpoint than {redact_url(endpoint)}: set AWS_REGION or AWS_ENDPOINT_URL"
        )
    if status in (401, 403) or (status == 400 and any(word in code for word in _UNKNOWN)):
        stage = "open" if stage == "open" else "upload"
        return CredentialsError(f"S3 refused to {action} {details}; {_advice(code)}", stage=stage)
    if status == 404:
        what = "bucket" if code == "NoSuchBucket" else "object"
        missing: type[KeyframesError] = StorageWriteError
        if stage == "open":
            missing = SourceNotFoundError
        elif what == "bucket":
            missing = BucketNotFoundError
        return missing(
            f"S3 has no such {what}, {details}; check the {what}'s name, and that it is at "
            f"{redact_url(endpoint)}"
        )
    advice = "; check AWS_ENDPOINT_URL and AWS_REGION" if status < 400 else ""
    return kind(f"S3 could not {action} {details}{advice}")


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: Any) -> str:
    """Return the error code, or "" if the answer has none."""
    code = error.response.get("Error", {}).get("Code")
    # Without a body, botocore gives the status in its place.
    return code if isinstance(code, str) and not code.isdecimal() else ""


def _headers(error: Any) -> dict[str, str]:
    found = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return {"Retry-After": found.get("retry-after", "")}


def _kind_and_action(stage: str) -> tuple[type[KeyframesError], str]:
    if stage == "open":
        return SourceReadError, "read"
    return StorageWriteError, "remove" if stage == "remove" else "store"


def _advice(code: str) -> str:
    if code == "RequestTimeTooSkewed":
        return "set this machine's clock"
    if code == "InvalidAccessKeyId":
        return f"the key is unknown: check AWS_ACCESS_KEY_ID {_WHERE}"
    if code == "SignatureDoesNotMatch":
        return f"check AWS_SECRET_ACCESS_KEY and AWS_REGION {_WHERE}"
    if "Token" in code:
        return f"set new temporary keys with AWS_SESSION_TOKEN, or permanent ones alone, {_WHERE}"
    if code in ("AccessDenied", ""):
        return (
            f"AWS_SKIP_SIGNATURE is set, so no credentials were sent: unset it {_WHERE}"
            if sends_no_credentials()
            else "the owner of the credentials has no permission for it, or there is no such object"
        )
    return f"check the credentials and AWS_REGION {_WHERE}"
