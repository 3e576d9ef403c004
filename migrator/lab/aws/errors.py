"""Errors that the lab adds to emulated services."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class ServiceFault(ServiceException):
    """An error answer: the service's own code, and a message. moto looks a bare ServiceException up by its module."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
