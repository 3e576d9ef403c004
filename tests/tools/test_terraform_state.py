"""Moving a local state into the bucket and back, against a real Terraform and an emulated AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.contracts.terraform import Backend
from migrator.errors import Refused
from tests.tools.terraform_support import Emulator, Notes, emulator, terraform_tool

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore")]

STACK = """
resource "terraform_data" "one" { input = "kept" }
output "kept" { value = terraform_data.one.output }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with emulator() as running:
        running.aws.call(
            "s3",
            "create_bucket",
            Bucket="example-state",
            CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
        )
        yield running


def test_a_local_state_goes_into_the_bucket_and_comes_back(server: Emulator, tmp_path: Path) -> None:
    folder = tmp_path / "shipped" / "terraform" / "stacks" / "shop" / "old"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(STACK)
    tool, notes = terraform_tool(server, tmp_path / "terraform"), Notes()
    assert tool.version().startswith("1.")

    # The operator's stack with its local state.
    own = tool.prepare(tmp_path / "shipped", tmp_path / "own", "shop/old", None, {})
    tool.init(own, notes)
    plan = tool.plan(own, notes)
    child = tool.apply(own, plan, tmp_path / "own" / "apply-0001", 60.0, notes.spawned, notes)
    done, applied = tool.follow(own, child, notes)
    assert (done.ok, applied.added) == (True, 1)
    local = own.root / "terraform.tfstate"
    before = local.read_bytes()

    (folder / "main.tf").write_text('terraform {\n  backend "s3" {}\n}\n' + STACK)
    backend = Backend("example-state", "old/terraform.tfstate", "us-west-2")
    stack = tool.prepare(tmp_path / "shipped", tmp_path / "moved", "shop/old", backend, {})
    moved = tool.move_in(stack, local, notes)
    assert [resource.address for resource in moved.resources] == ["terraform_data.one"]
    assert local.read_bytes() == before
    assert tool.plan(stack, notes).empty
    assert tool.outputs(stack, notes) == {"kept": "kept"}
    assert tool.move_in(stack, local, notes) == moved

    back = tmp_path / "back.tfstate"
    found = tool.move_out(stack, back, notes)
    assert found.resources == moved.resources
    assert back.stat().st_mode & 0o077 == 0
    assert tool.move_out(stack, back, notes).lineage == moved.lineage
    assert tool.plan(stack, notes).empty

    assert tool.move_out(stack, local, notes).resources == moved.resources
    (kept,) = local.parent.glob("terraform.tfstate.*.backup")
    assert kept.read_bytes() == before

    other = tmp_path / "other.tfstate"
    other.write_text('{"version": 4, "serial": 1, "lineage": "another", "outputs": {}, "resources": []}')
    with pytest.raises(Refused, match="another state"):
        tool.move_in(stack, other, notes)
