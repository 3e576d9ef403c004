"""Threaded HTTP servers on 127.0.0.1, plain or TLS, with a handshake that cannot block the others."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_IDLE_SECONDS = 60.0


class LoopbackServer:
    """Serves `handler` on a free loopback port until stopped; a TLS handshake happens in the request's thread."""

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], label: str, context: ssl.SSLContext | None = None
    ) -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.context = context
        self.port: int = self._server.server_address[1]
        arguments = (5.0,)
        thread = threading.Thread(target=self._server.serve_forever, args=arguments, name=label, daemon=True)
        thread.start()

    def set_context(self, context: ssl.SSLContext) -> None:
        """Use other certificates for connections from now on."""
        self._server.context = context

    def stop(self) -> None:
        """Stop listening and end every open connection."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.server_close()
        self._server.end_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    context: ssl.SSLContext | None = None

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_IDLE_SECONDS)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.context is not None:
                request = self.context.wrap_socket(request, server_side=True)
        except (OSError, ValueError):
            return
        self._open.add(request)
        try:
            super().finish_request(request, client_address)
        except (OSError, ValueError):
            return
        finally:
            self._open.discard(request)
            with contextlib.suppress(OSError, ValueError):
                request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""

    def end_connections(self) -> None:
        """Close what is still open, so that clients look elsewhere."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
