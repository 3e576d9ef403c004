"""The old platform's end: export, deletions with all their guards, and measured silence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.contracts.action import Verdict
from migrator.errors import Refused
from migrator.tools.aws import BotoAws
from phases.cleanup.deletion import (
    DeleteLightsailService,
    DeleteServiceParams,
    UnpeerLightsailVpc,
    UnpeerParams,
)
from phases.cleanup.export import ExportLightsail, ExportParams
from tests.phases.lightsail import deploy, held, make_service, peer
from tests.phases.world import Step, bad, lifecycle

ENVIRONMENT = {"DB_PASSWORD": "correct-horse-battery", "PORT": "3000"}


@pytest.fixture(autouse=True)
def services(aws: BotoAws) -> None:
    """The old platform."""
    make_service(aws, "backend", ENVIRONMENT)
    make_service(aws, "frontend", {})
    peer(True)


def exported(aws: BotoAws, work: Path) -> tuple[str, str]:
    """Path and hash of an export that was made and verified."""
    step = Step(ExportLightsail(), ExportParams(("backend", "frontend")), work, {"aws": aws})
    step.probe()
    step.apply()
    outputs = step.verify().outputs
    return outputs["file"], outputs["sha256"]


def deletion(aws: BotoAws, work: Path, service: str = "backend", **more: Any) -> Step:
    file, sha256 = more.pop("export", None) or exported(aws, work)
    return Step(DeleteLightsailService(), DeleteServiceParams(service, file, sha256), work, {"aws": aws})


def test_export_lifecycle(aws: BotoAws, tmp_path: Path) -> None:
    step = Step(ExportLightsail(), ExportParams(("backend", "frontend")), tmp_path, {"aws": aws})
    lifecycle(step)


def test_an_export_holds_everything_but_secrets(aws: BotoAws, tmp_path: Path) -> None:
    file, sha256 = exported(aws, tmp_path)
    content = Path(file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256
    assert Path(file).stat().st_mode & 0o777 == 0o600
    assert b"correct-horse" not in content
    found = json.loads(content)
    assert found["vpc_peered"] is True
    assert [each["containerServiceName"] for each in found["services"]] == ["backend", "frontend"]
    container = found["deployments"]["backend"][0]["containers"]["app"]
    assert container["environment"] == {"DB_PASSWORD": "‹secret›", "PORT": "‹secret›"}
    assert container["image"] == "shop:1"


def test_an_export_that_was_cut_off_is_written_anew(aws: BotoAws, tmp_path: Path) -> None:
    step = Step(ExportLightsail(), ExportParams(("backend",)), tmp_path, {"aws": aws})
    step.probe()
    step.apply()
    (tmp_path / "lightsail.json").write_text("{}")
    assert step.probe().verdict is Verdict.PARTIAL
    assert not step.verify().ok
    step.apply()
    assert step.verify().ok


def test_a_file_with_an_unmasked_value_is_red(aws: BotoAws, tmp_path: Path) -> None:
    step = Step(ExportLightsail(), ExportParams(("backend",)), tmp_path, {"aws": aws})
    step.apply()
    path = tmp_path / "lightsail.json"
    content = path.read_text().replace('"PORT": "\\u2039secret\\u203a"', '"PORT": "3000"')
    path.write_text(content)
    step.notebook.remember({"sha256": hashlib.sha256(content.encode()).hexdigest()})
    assert bad(step.verify()) == ["no environment value is in it: PORT, PORT"]


def test_a_service_that_is_not_there_cannot_be_exported(aws: BotoAws, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no container service nobody"):
        Step(ExportLightsail(), ExportParams(("nobody",)), tmp_path, {"aws": aws}).apply()


def test_deletion_lifecycle(aws: BotoAws, tmp_path: Path) -> None:
    step = deletion(aws, tmp_path)
    arn = held("backend").describe()["arn"]
    assert lifecycle(step, reversible=False).outputs == {"deleted": arn}
    assert step.notebook.memory == {"deleting": arn}
    with pytest.raises(Refused, match="does not come back") as caught:
        step.undo()
    assert "create-container-service" in caught.value.next
    assert held("frontend")


def test_a_lost_export_is_red_after_the_deletion(aws: BotoAws, tmp_path: Path) -> None:
    step = deletion(aws, tmp_path)
    step.probe()
    step.apply()
    (tmp_path / "lightsail.json").unlink()
    assert len(bad(step.verify())) == 1


def test_a_service_that_was_gone_already(aws: BotoAws, tmp_path: Path) -> None:
    step = deletion(aws, tmp_path)
    aws.call("lightsail", "delete_container_service", serviceName="backend")
    assert step.probe().verdict is Verdict.OURS
    step.apply()
    assert step.verify().ok
    step.undo()


def test_another_service_of_the_same_name_is_not_deleted(aws: BotoAws, tmp_path: Path) -> None:
    step = deletion(aws, tmp_path)
    step.probe()
    step.apply()
    make_service(aws, "backend", {})
    assert step.probe().verdict is Verdict.FOREIGN
    with pytest.raises(Refused, match="another service than the exported one"):
        step.apply()
    assert held("backend")


def test_it_waits_while_the_service_is_being_deleted(aws: BotoAws, tmp_path: Path) -> None:
    class Slow:
        """Lightsail takes a while."""

        looks = 3

        def call(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
            if operation == "delete_container_service":
                return {}
            answer = aws.call(service, operation, **given)
            if operation == "get_container_services" and step.notebook.memory:
                self.looks -= 1
                answer["containerServices"][0]["state"] = "DELETING"
                if not self.looks:
                    aws.call("lightsail", "delete_container_service", serviceName="backend")
            return answer

    step = deletion(aws, tmp_path)
    step.tools = {"aws": Slow()}
    step.probe()
    step.apply()
    assert step.probe().verdict is Verdict.OURS
    assert step.verify().ok
    assert step.notebook.reports


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        ("touched", "was changed"),
        ("removed", "is not there"),
        ("deployed", "deployed since the export"),
        ("of another", "does not describe this service"),
        ("of another account", "another account or region"),
    ],
)
def test_guards_right_before_the_deletion(aws: BotoAws, tmp_path: Path, harm: str, why: str) -> None:
    file, sha256 = exported(aws, tmp_path)
    path, service = Path(file), "backend"
    if harm == "touched":
        path.write_bytes(path.read_bytes() + b" ")
    elif harm == "removed":
        path.unlink()
    elif harm == "deployed":
        deploy(aws, "backend", {})
    elif harm == "of another":
        service = "third"
        make_service(aws, service, {})
    else:
        path.write_text(path.read_text().replace('"account": "1234', '"account": "9934'))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    step = deletion(aws, tmp_path, service, export=(file, sha256))
    assert step.probe().verdict is Verdict.ABSENT
    with pytest.raises(Refused, match=why):
        step.apply()
    assert held(service)
    assert step.notebook.memory == {}


def unpeering(aws: BotoAws, work: Path, **more: Any) -> Step:
    return Step(UnpeerLightsailVpc(), UnpeerParams(*exported(aws, work), **more), work, {"aws": aws})


def test_unpeering_lifecycle(aws: BotoAws, tmp_path: Path) -> None:
    lifecycle(unpeering(aws, tmp_path, unaffected=("backend", "frontend")))


def test_unpeering_is_refused_while_others_may_need_it(aws: BotoAws, tmp_path: Path) -> None:
    step = unpeering(aws, tmp_path, unaffected=("backend",))
    step.probe()
    with pytest.raises(Refused, match="may need the peering: frontend"):
        step.apply()
    assert step.probe().verdict is Verdict.ABSENT
    aws.call("lightsail", "delete_container_service", serviceName="frontend")
    step.apply()
    assert step.verify().ok


def test_a_peering_that_was_not_there_is_not_made_by_undo(aws: BotoAws, tmp_path: Path) -> None:
    step = unpeering(aws, tmp_path)
    peer(False)
    assert step.probe().verdict is Verdict.OURS
    step.apply()
    step.undo()
    assert step.probe().verdict is Verdict.OURS


def test_unpeering_needs_the_export(aws: BotoAws, tmp_path: Path) -> None:
    step = unpeering(aws, tmp_path, unaffected=("backend", "frontend"))
    step.params = replace(step.params, export_sha256="0" * 64)
    with pytest.raises(Refused, match="was changed"):
        step.apply()
