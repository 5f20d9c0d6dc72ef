"""Whether anything that could be Ray listens at an address; Ray itself would try for minutes."""

from __future__ import annotations

import os
import socket
import time

from apollo_core.errors import BadInput
from apollo_core.redaction import redact

# Ray speaks gRPC, thus HTTP/2: a server answers this greeting with settings (RFC 9113, 3.4).
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4
_TIMEOUT = 3.0
_PAUSE = 0.5


def require_ray(address: str, *, patience: float) -> None:
    """Wait until something answers as Ray does.

    Addresses that Ray itself looks up (`auto`, `local`, one without a port) are left to it.

    Args:
        address: HOST:PORT, with or without `ray://`.
        patience: seconds in which it may still be starting.

    Raises:
        BadInput: nothing did.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    last = time.monotonic() + patience
    while problem := _problem(host.strip("[]"), int(port)):
        if time.monotonic() >= last:
            raise BadInput(
                f"--address {redact(address)}: {problem}; start Ray there (`ray start --head`), or "
                "give the address that `ray start` printed"
            )
        time.sleep(_PAUSE)


def _problem(host: str, port: int) -> str:
    """What is wrong with whoever listens there; empty where it may be Ray."""
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT) as line:
            # What is said inside TLS cannot be told from here.
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return ""
            line.sendall(_GREETING)
            answer = line.recv(9)
    except TimeoutError:
        return "it does not answer"
    except (OSError, OverflowError) as error:
        return f"cannot be reached ({getattr(error, 'strerror', None) or error})"
    return "" if answer[3:4] == bytes([_SETTINGS]) else "what listens there is not Ray"
