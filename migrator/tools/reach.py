"""How host:port is reached: directly, or by the twin's map to loopback."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any
from urllib.parse import quote, urlsplit

from migrator.errors import Refused
from migrator.sanitize import clean_line
from migrator.secrets import Secret

_KEEP_SECONDS = 10.0
_TIMEOUT_SECONDS = 5.0


class DirectReach:
    """The address that the world names is the address to connect to."""

    def route(self, host: str, port: int) -> tuple[str, int]:
        """The same address."""
        return host, port


class LabReach:
    """Asks the twin's control server (`http://127.0.0.1:PORT`) and keeps an answer for a few seconds.

    An answer is not kept for long: the twin may move a service to another port when its stand-in restarts.
    """

    def __init__(self, control: str, token: Secret) -> None:
        address = urlsplit(control)
        if address.scheme != "http" or not address.hostname or not address.port:
            raise Refused(f"{clean_line(control, 200)} is not the address of a twin's control server")
        self._address = (address.hostname, address.port)
        self._token = token
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], tuple[tuple[str, int], float]] = {}

    def route(self, host: str, port: int) -> tuple[str, int]:
        """The loopback address behind host:port; `Refused` when the twin has none."""
        asked = (host.rstrip(".").lower(), port)
        with self._lock:
            kept = self._kept.get(asked)
        if kept is not None and kept[1] > time.monotonic():
            return kept[0]
        answer = self._ask(*asked)
        with self._lock:
            self._kept[asked] = (answer, time.monotonic() + _KEEP_SECONDS)
        return answer

    def _ask(self, host: str, port: int) -> tuple[str, int]:
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(
                "GET",
                f"/route?host={quote(host, safe='')}&port={port}",
                headers={"Authorization": f"Bearer {self._token.reveal()}"},
            )
            answer = connection.getresponse()
            status, body = answer.status, answer.read(65_536)
        except (OSError, http.client.HTTPException) as error:
            raise Refused(
                "the twin's control server does not answer",
                where=f"{self._address[0]}:{self._address[1]}",
                detail=clean_line(str(error), 300),
            ) from error
        finally:
            connection.close()
        if status != http.client.OK:
            raise Refused(f"the twin has no route to {clean_line(host, 200)}:{port}", where="twin")
        return _address(body)


def _address(body: bytes) -> tuple[str, int]:
    try:
        found: Any = json.loads(body)
        return str(found["host"]), int(found["port"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            "the twin's control server gave an answer without host and port", where="twin"
        ) from error
