"""The emulator's process: moto behind a thin layer that records calls and answers the lab's own questions.

Run as `python -m migrator.lab.aws.server CONFIG`; CONFIG is a private JSON file. When the server listens it
writes its port and what it seeded to the file that CONFIG names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from migrator.lab import guard
from migrator.lab.children import follow_parent
from migrator.lab.spec import spec_from


def main(arguments: list[str]) -> None:
    """Serve until the parent goes."""
    follow_parent()
    guard.install_from_environment()
    config: dict[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    spec = spec_from(config["spec"])
    os.environ.update(
        MOTO_ACCOUNT_ID=spec.account,
        MOTO_IAM_LOAD_MANAGED_POLICIES="true",
        MOTO_DISABLE_GLOBAL_CORS="true",
        AWS_DEFAULT_REGION=spec.region,
    )
    # moto reads its settings when it is imported
    from werkzeug.serving import make_server

    from migrator.lab.aws import adapters, seed
    from migrator.lab.aws.front import Front

    adapters.apply(spec)
    variables = seed.seed(spec, seed.SeedSecrets(**_wait_for(Path(config["secrets_file"]))))
    front = Front(spec, config["token"], Path(config["calls_file"]))
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=_handler())
    ready = Path(config["ready_file"])
    part = ready.with_suffix(".part")
    part.write_text(json.dumps({"port": server.server_port, "variables": variables}), encoding="utf-8")
    part.replace(ready)
    server.serve_forever(poll_interval=5)


def _wait_for(file: Path) -> dict[str, Any]:
    """What the old backend is configured with is known once the old database is filled."""
    while not file.exists():
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _handler() -> type[Any]:
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    class Quiet(MotoRequestHandler):
        """Keeps connections open and prints no line a request."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            """Calls are recorded by the front."""

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Errors reach the front as exceptions."""

    return Quiet


if __name__ == "__main__":
    main(sys.argv[1:])
