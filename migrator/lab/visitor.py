"""A signed-in user of the old application, whose session the move must not break."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable
from typing import Any

from migrator.lab.traffic import Named, Unreachable, lookup

SIGN_IN_SECONDS = 20.0


def sign_in(
    host: str,
    resolver_port: int,
    route: Callable[[str, int], int | None],
    context: ssl.SSLContext,
) -> str:
    """Registers a user through DNS and TLS, as a browser would; gives the session token.

    Raises Unreachable when the old application does not take it within 20 s.
    """
    body = json.dumps({"email": f"visitor@{host.partition('.')[2]}", "password": secrets.token_urlsafe(16)})
    until = time.monotonic() + SIGN_IN_SECONDS
    problem = "no answer"
    while time.monotonic() < until:
        try:
            token = _register(host, resolver_port, route, context, body)
        except (OSError, http.client.HTTPException, Unreachable, ValueError) as error:
            problem = str(error)
        else:
            return token
        time.sleep(0.2)
    raise Unreachable(f"nobody could sign in at the old application: {problem}")


def _register(
    host: str,
    resolver_port: int,
    route: Callable[[str, int], int | None],
    context: ssl.SSLContext,
    body: str,
) -> str:
    address, _ = lookup(resolver_port, host)
    port = route(address, 443)
    if port is None:
        raise Unreachable(f"nothing listens at {address}")
    connection = Named(host, ("127.0.0.1", port), context)
    with contextlib.closing(connection):
        connection.request("POST", "/api/v1/auth/register", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        found: Any = json.loads(response.read() or b"{}")
        if response.status != 201:
            raise Unreachable(f"status {response.status}")
    return str(found["token"])
