"""Shapes of the `detail` of a progress report; faces draw tables from them. All values are JSON."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class ResourceProgress(TypedDict):
    """One Terraform resource."""

    address: str
    action: Literal["create", "update", "delete", "replace", "read", "import"]
    state: Literal["pending", "running", "done", "failed"]
    seconds: float


class TerraformDetail(TypedDict):
    """`detail` of a Terraform step."""

    kind: Literal["terraform"]
    stack: str
    resources: list[ResourceProgress]


class TableProgress(TypedDict):
    """One table under way. `rows_total` and `bytes_total` are estimates of the source's catalogue."""

    name: str
    state: Literal["pending", "running", "done", "failed"]
    rows_total: int
    bytes_total: int
    rows_done: NotRequired[int]
    bytes_done: NotRequired[int]


class DatabaseDetail(TypedDict):
    """`detail` of a database step. `bytes_per_second` over the last seconds."""

    kind: Literal["database"]
    stage: Literal["dump", "restore", "compare", "analyze", "swap"]
    tables: list[TableProgress]
    bytes_per_second: float


class TargetTraffic(TypedDict):
    """Traffic on one side. Latencies in milliseconds over the last second."""

    requests: int
    failed: int
    latency_ms_p50: float
    latency_ms_p95: float


class TrafficDetail(TypedDict):
    """The twin's live traffic, under the progress key `@traffic`. Series hold one number a second."""

    kind: Literal["traffic"]
    requests: int
    failed: int
    unavailable_seconds: float
    writes_acknowledged: int
    old: TargetTraffic
    new: TargetTraffic
    series: dict[str, list[float]]
    """requests_old, requests_new, failed, latency_ms_p95: the last 120 seconds."""
