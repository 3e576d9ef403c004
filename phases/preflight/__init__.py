"""What must hold before the first change: tools, credentials, the old platform, the hosted zone."""

from __future__ import annotations

from phases.preflight.account import CredentialsCheck, HostedZoneCheck
from phases.preflight.machine import ToolsCheck
from phases.preflight.platform import LightsailCheck

ACTIONS = (ToolsCheck(), CredentialsCheck(), LightsailCheck(), HostedZoneCheck())
