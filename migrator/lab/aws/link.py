"""The lab's own questions to the emulator, over one kept connection a thread."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any


class EmulatorError(RuntimeError):
    """The emulator refused a question of the lab; `status` is the HTTP status, `code` the service's code."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class EmulatorLink:
    """Asks the emulator's process on 127.0.0.1:`port`."""

    def __init__(self, port: int, token: str, region: str) -> None:
        self.port = port
        self._token = token
        self._region = region
        self._local = threading.local()

    def world(self) -> dict[str, Any]:
        """The account as it is now (see migrator.lab.aws.world)."""
        found: dict[str, Any] = self.ask("world")
        return found

    def ask(self, question: str, body: Any = None) -> Any:
        """Put a question; raises EmulatorError when it is refused."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return self._call("/lab/" + question, headers, json.dumps(body or {}))

    def secret(self, arn: str) -> str:
        """The current value of a secret, asked through the emulated service as an instance would."""
        scope = f"lab-instance/20260101/{self._region}/secretsmanager/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "secretsmanager.GetSecretValue",
            "User-Agent": "lab-instance",
        }
        return str(self._call("/", headers, json.dumps({"SecretId": arn}))["SecretString"])

    def _call(self, path: str, headers: dict[str, str], body: str) -> Any:
        for attempt in (1, 2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                self._local.connection = connection
            try:
                connection.request("POST", path, body=body, headers=headers)
                response = connection.getresponse()
                content = response.read()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                self._local.connection = None
                if attempt == 2:
                    raise
        document = json.loads(content or b"{}")
        if response.status != 200:
            message = document.get("error") or document.get("message") or document.get("Message") or "refused"
            code = document.get("code") or document.get("__type", "")
            raise EmulatorError(response.status, str(message), str(code))
        return document
