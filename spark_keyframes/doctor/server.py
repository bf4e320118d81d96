"""Whether a server of Spark answers, before a client waits for it for minutes."""

import os
import re
import socket
from urllib.request import getproxies

_SECONDS = 10.0
_CONNECT_PORT = 15002
_ADDRESS = re.compile(r"(?P<host>\[[^\]]+\]|[^:;/,\[\]]+)(?::(?P<port>\d+))?")


def refusal_of(url: str) -> str:
    """Return why none of the servers of a URL answers; "" where one does, or that is not known.

    Args:
        url: of a Connect server, `sc://host:15002`, or of masters, `spark://host:7077,other:7077`.
            Others are not tried.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("sc", "spark"):
        return ""
    if scheme == "sc" and ({"http", "https"} & {*getproxies()} or "grpc_proxy" in os.environ):
        return ""  # the client connects to the proxy
    reasons = []
    for each in re.split(r"[;/]", rest)[0].split(","):
        found = _ADDRESS.fullmatch(each.rpartition("@")[2])
        port = found and (found["port"] or (_CONNECT_PORT if scheme == "sc" else None))
        if not found or not port:
            return ""  # Spark says what is wrong with it
        host = found["host"].strip("[]")
        try:
            socket.create_connection((host, int(port)), timeout=_SECONDS).close()
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            reasons.append(f"{host}:{port} does not answer: {reason}")
        else:
            return ""
    return "; ".join(reasons)
