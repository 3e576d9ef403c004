"""What the Terraform sources promise to readers and to the runbook loader, judged from their text alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TERRAFORM = Path(__file__).parents[2] / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
STACKS = sorted(path for path in (TERRAFORM / "stacks" / "habitcraft").iterdir() if path.is_dir())
COMMON_INPUTS = {"project", "environment", "region", "tags"}

OUTPUTS = {
    "network": {
        "vpc_id",
        "public_subnet_ids",
        "private_subnet_ids",
        "alb_security_group_id",
        "backend_security_group_id",
        "frontend_security_group_id",
        "database_security_group_id",
    },
    "registry": {"repository_urls", "repository_arns"},
    "certificate": {"certificate_arn"},
    "edge": {
        "load_balancer_arn",
        "load_balancer_arn_suffix",
        "load_balancer_dns_name",
        "load_balancer_zone_id",
        "https_listener_arn",
        "target_group_arns",
        "target_group_arn_suffixes",
    },
    "database": {
        "instance_identifier",
        "instance_arn",
        "address",
        "port",
        "database_name",
        "master_username",
        "master_secret_arn",
    },
    "secrets": {"database_secret_arn", "application_secret_arn"},
    "compute": {"launch_template_ids", "autoscaling_group_names", "instance_role_arns"},
    "monitoring": {"alerts_topic_arn", "alarm_names"},
}


def blocks(folder: Path, kind: str) -> dict[str, str]:
    """Bodies of the top-level `kind "name" {` blocks of a folder, by name."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))
    return dict(re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', text, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("folder", [*MODULES, *STACKS], ids=lambda folder: folder.name)
def test_has_the_four_files_and_no_other_place_for_inputs_and_outputs(folder: Path) -> None:
    assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf"} <= {
        path.name for path in folder.glob("*.tf")
    }
    for path in folder.glob("*.tf"):
        kinds = set(re.findall(r"^(variable|output)\b", path.read_text(), re.MULTILINE))
        assert kinds <= {path.stem.removesuffix("s")}, f"{path.name} holds {kinds}"


@pytest.mark.parametrize("folder", [*MODULES, *STACKS], ids=lambda folder: folder.name)
def test_every_input_and_output_is_described(folder: Path) -> None:
    inputs, outputs = blocks(folder, "variable"), blocks(folder, "output")
    assert inputs
    assert outputs
    for name, body in {**inputs, **outputs}.items():
        assert re.search(r'^  description += "[^"]{10,}"$', body, re.MULTILINE), f"{name} has no description"
    for name, body in inputs.items():
        assert re.search(r"^  type += \S", body, re.MULTILINE), f"{name} has no type"


@pytest.mark.parametrize("folder", [*MODULES, *STACKS], ids=lambda folder: folder.name)
def test_every_input_is_used(folder: Path) -> None:
    text = "\n".join(path.read_text() for path in folder.glob("*.tf") if path.name != "variables.tf")
    unused = {name for name in blocks(folder, "variable") if not re.search(rf"\bvar\.{name}\b", text)}
    assert unused == set()


@pytest.mark.parametrize("folder", [*MODULES, *STACKS], ids=lambda folder: folder.name)
def test_no_secret_passes_through(folder: Path) -> None:
    names = {*blocks(folder, "variable"), *blocks(folder, "output")}
    assert not {
        name for name in names if re.search(r"password|passphrase|token|private_key|credential", name)
    }
    assert not {name for name in names if re.search(r"secret(?!s$|_arns?$)", name)}
    for path in folder.glob("*.tf"):
        text = path.read_text()
        assert not re.search(r"^\s+(password|secret_string|secret_binary)(_wo)?\s*=", text, re.MULTILINE)
        assert "aws_secretsmanager_secret_version" not in text


@pytest.mark.parametrize("folder", [*MODULES, *STACKS], ids=lambda folder: folder.name)
def test_nothing_is_counted(folder: Path) -> None:
    for path in folder.glob("*.tf"):
        assert not re.search(r"^\s+count\s+=", path.read_text(), re.MULTILINE), path.name


@pytest.mark.parametrize("module", MODULES, ids=lambda folder: folder.name)
def test_a_module_leaves_provider_and_backend_to_its_caller(module: Path) -> None:
    for path in module.glob("*.tf"):
        assert not re.search(r'^\s*(provider|backend) "', path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("stack", STACKS, ids=lambda folder: folder.name)
def test_a_stack_takes_its_backend_from_outside(stack: Path) -> None:
    assert '  backend "s3" {}\n' in (stack / "versions.tf").read_text()
    assert set(blocks(stack, "variable")) > COMMON_INPUTS
    for name, body in blocks(stack, "variable").items():
        if name in COMMON_INPUTS - {"tags"}:
            assert "default" not in body, f"{name} must be chosen"


def test_stacks_put_out_what_runbooks_refer_to() -> None:
    assert {stack.name: set(blocks(stack, "output")) for stack in STACKS} == OUTPUTS
