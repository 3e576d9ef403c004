"""DNS cutover: snapshot, TTL, compare-and-set, propagation."""

from __future__ import annotations

from phases.dns_cutover.cutover import Cutover
from phases.dns_cutover.lower_ttl import LowerTtl
from phases.dns_cutover.snapshot import Snapshot
from phases.dns_cutover.watch import Watch

ACTIONS = (Snapshot(), LowerTtl(), Cutover(), Watch())
