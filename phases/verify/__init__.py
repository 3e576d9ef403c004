"""Looks at the running application: HTTP, TLS, DNS, flows, sessions."""

from __future__ import annotations

from phases.verify.dns import DnsCheck
from phases.verify.flow import Flow
from phases.verify.http import HttpCheck
from phases.verify.session import Session
from phases.verify.tls import TlsCheck

ACTIONS = (HttpCheck(), TlsCheck(), DnsCheck(), Flow(), Session())
