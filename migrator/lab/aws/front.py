"""What stands before moto: every call recorded, unknown operations refused cleanly, questions of the lab answered."""

from __future__ import annotations

import io
import json
import os
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.core.exceptions import ServiceException
from moto.ecr.models import ecr_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException

from migrator.lab.aws import adapters, world
from migrator.lab.aws.lightsail.models import lightsail_backends
from migrator.lab.spec import LabSpec

LAB_PREFIX = "/lab/"


class Front:
    """A WSGI application: `/lab/` (with the lab's token) is ours, everything else is the emulated account."""

    def __init__(self, spec: LabSpec, token: str, calls_file: Path) -> None:
        self._spec = spec
        self._token = token
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._calls = os.open(calls_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("PATH_INFO", "").startswith(LAB_PREFIX):
            return self._own(environ, start_response)
        service, operation = _identify(environ)
        begun = time.time()
        status = [""]

        def started(code: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            status[0] = code
            return start_response(code, headers, *rest)

        try:
            return self._moto(environ, started)  # type: ignore[no-any-return]
        except NotImplementedError as error:
            message = str(error) or f"{operation} is not emulated"
            return _refusal(environ, started, "UnsupportedOperation", message)
        except HTTPException as error:
            return _refusal(environ, started, "InvalidRequest", str(error))
        except Exception as error:  # noqa: BLE001 - the emulator's own faults must not look like a retryable 500
            traceback.print_exc(file=sys.stderr)
            return _refusal(environ, started, "EmulatorFault", f"{type(error).__name__}: {error}")
        finally:
            self._record(service, operation, status[0], begun, environ.get("HTTP_USER_AGENT", ""))

    def _record(self, service: str, operation: str, status: str, begun: float, agent: str) -> None:
        entry = {
            "time": round(begun, 3),
            "service": service,
            "operation": operation,
            "status": int(status[:3] or 0),
            "milliseconds": round((time.time() - begun) * 1000),
            "agent": agent[:60],
        }
        os.write(self._calls, json.dumps(entry).encode() + b"\n")

    def _own(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") != f"Bearer {self._token}":
            return _json(start_response, "403 Forbidden", {"error": "the lab's token is missing"})
        question = environ["PATH_INFO"].removeprefix(LAB_PREFIX)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length) or b"{}") if length else {}
        try:
            return _json(start_response, "200 OK", self._answer(question, body))
        except KeyError as error:
            return _json(start_response, "404 Not Found", {"error": f"unknown: {error}"})
        except ServiceException as error:
            return _json(start_response, "400 Bad Request", {"error": error.message, "code": error.code})
        except Exception as error:  # noqa: BLE001 - the edge of this process
            traceback.print_exc(file=sys.stderr)
            return _json(start_response, "500 Fault", {"error": f"{type(error).__name__}: {error}"})

    def _answer(self, question: str, body: dict[str, Any]) -> Any:
        if question == "world":
            return world.snapshot(self._spec)
        if question == "repository":
            return world.repository_state(self._spec, body["name"])
        if question == "image":
            return self._put_image(body)
        if question == "health":
            for arn, targets in body.items():
                adapters.health[arn] = {name: (state, reason) for name, (state, reason) in targets.items()}
            return {}
        if question == "traffic":
            services = lightsail_backends[self._spec.account][self._spec.region].services
            for name, count in body.items():
                if name in services:
                    services[name].traffic.append((time.time(), count))
            return {}
        raise KeyError(question)

    def _put_image(self, body: dict[str, Any]) -> dict[str, Any]:
        from moto.ecr.exceptions import ImageAlreadyExistsException

        backend = ecr_backends[self._spec.account][self._spec.region]
        if body["repository"] not in backend.repositories:
            raise KeyError(body["repository"])
        known = {image.get_image_digest() for image in backend.repositories[body["repository"]].images}
        if body["tag"] is None and body["digest"] in known:
            return {"existed": True}
        try:
            backend.put_image(
                body["repository"], body["manifest"], body["tag"], body["media_type"], digest=body["digest"]
            )
        except ImageAlreadyExistsException:
            return {"existed": True}
        return {"existed": False}


def _identify(environ: dict[str, Any]) -> tuple[str, str]:
    """Service and operation of a request, without keeping anything of its body."""
    service = "unknown"
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0].split("/")
    if len(scope) >= 5:
        service = scope[3]
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return service, target.split(".")[-1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        return service, parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])[0]
    return service, f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')[:200]}"


def _json(start_response: Any, status: str, document: Any) -> Iterable[bytes]:
    body = json.dumps(document).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _refusal(environ: dict[str, Any], start_response: Any, code: str, message: str) -> Iterable[bytes]:
    """A 400 in the protocol that the caller speaks: no client repeats it."""
    kind = environ.get("CONTENT_TYPE", "")
    if environ.get("HTTP_X_AMZ_TARGET") or "json" in kind:
        body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
    else:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        service, _ = _identify(environ)
        if service == "ec2":
            text = f"<Response><Errors>{error}</Errors><RequestID>lab</RequestID></Response>"
        elif service == "s3":
            text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        else:
            text = f"<ErrorResponse>{error}<RequestId>lab</RequestId></ErrorResponse>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
        headers = [("Content-Type", "text/xml")]
    start_response("400 Bad Request", [*headers, ("Content-Length", str(len(body)))])
    return [body]
