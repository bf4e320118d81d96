"""The signature and the checksum of TOS, written from its documentation, not from the SDK.

The signature is TOS4-HMAC-SHA256 (https://www.volcengine.com/docs/6349/74839).
"""

import datetime
import functools
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote


def refusal(
    tos: Any, method: str, raw_path: str, query: str, headers: Any, body: bytes
) -> tuple[int, str] | None:
    """Check a request's signature, and return status and error code, or None if it is valid.

    `tos` has the right access_key, secret_key, security_token and region.
    """
    match = re.fullmatch(
        r"TOS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/tos/request, ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        headers.get("Authorization", ""),
    )
    if not match:
        return 403, "AccessDenied"
    access_key, day, region, signed, signature = match.groups()
    names = signed.split(";")
    date = headers.get("x-tos-date", "")
    present = {name.lower() for name in headers if name.lower().startswith("x-tos-")}
    # The retry counter need not be signed. All other x-tos- headers must be.
    present.discard("x-sdk-retry-count")
    if names != sorted(names) or not {"host", "x-tos-date", *present} <= set(names):
        return 403, "AccessDenied"
    if access_key != tos.access_key:
        return 403, "InvalidAccessKeyId"
    if headers.get("x-tos-security-token", "") != tos.security_token:
        return 403, "InvalidSecurityToken"
    if region != tos.region or not date.startswith(day):
        return 403, "AuthorizationHeaderMalformed"
    sent = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    if abs(datetime.datetime.now(datetime.UTC) - sent) > datetime.timedelta(minutes=15):
        return 403, "RequestTimeTooSkewed"

    payload = headers.get("x-tos-content-sha256", "UNSIGNED-PAYLOAD")
    if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return 400, "XTosContentSHA256Mismatch"
    canonical_request = "\n".join(
        [
            method,
            quote(unquote(raw_path), safe="/~"),
            "&".join(
                f"{quote(name, safe='~')}={quote(value, safe='~')}"
                for name, value in sorted(parse_qsl(query, keep_blank_values=True))
            ),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            signed,
            payload,
        ]
    )
    string_to_sign = "\n".join(
        [
            "TOS4-HMAC-SHA256",
            date,
            f"{day}/{region}/tos/request",
            hashlib.sha256(canonical_request.encode()).hexdigest(),
        ]
    )
    key = tos.secret_key.encode()
    for part in (day, region, "tos", "request", string_to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return None if hmac.compare_digest(key.hex(), signature) else (403, "SignatureDoesNotMatch")


def _table() -> list[int]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (0xC96C5795D7870F42 if value & 1 else 0)
        table.append(value)
    return table


_CRC_TABLE = _table()


@functools.lru_cache(64)
def crc64(data: bytes) -> int:
    """Return CRC-64/XZ (ECMA-182, reflected), the checksum that TOS keeps of every object."""
    value = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _CRC_TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFFFFFFFFFF
