"""The old platform's end: proven silent, exported, then deleted piece by piece."""

from __future__ import annotations

from phases.cleanup.deletion import DeleteLightsailService, UnpeerLightsailVpc
from phases.cleanup.export import ExportLightsail
from phases.cleanup.silence import Silence

ACTIONS = (Silence(), ExportLightsail(), DeleteLightsailService(), UnpeerLightsailVpc())
