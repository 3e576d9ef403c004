"""The interview with a prepared person and machine: what is asked, proposed, kept and written."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.console.init.command import InitOptions
from migrator.console.init.document import FILE
from migrator.console.init.interview import Interview
from migrator.console.init.kept import Notebook
from migrator.errors import Locked, UsageError
from migrator.loading.migration import load_migration
from migrator.loading.values import resolve_values
from migrator.runner.control import LocalControl
from migrator.tools.discovery import AwsFacts, AwsProfile
from tests.console.init_support import Machine, Person, Stopped, fitting, small_runbook, zones

NEEDED = {"domain:": "example.com", "hosted_zone_id:": "Z12345", "admin_secret:": "env:ADMIN_PASSWORD"}

Sit = Callable[..., Interview]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    small_runbook(tmp_path)
    return tmp_path


def sit(
    folder: Path, person: Person, machine: Machine | None = None, runbook: str = "./small.yaml", **given: str
) -> Interview:
    options = InitOptions(folder=".", runbook=runbook, interactive=True)
    control = LocalControl(folder)
    return Interview(control, person, Notebook(folder), machine or Machine(), Path(), options, given)


def written(folder: Path) -> dict[str, object]:
    migration = load_migration(folder / FILE)
    runbook = LocalControl(folder).runbook("./small.yaml")
    return resolve_values(runbook, migration.values, "run")[0]


def test_only_what_is_needed_is_asked_and_the_file_is_valid(folder: Path) -> None:
    person = Person(dict(NEEDED))
    assert sit(folder, person).run() == 0
    asked = [message for message in person.asked if message.endswith(":")]
    assert asked == list(NEEDED)
    assert written(folder) == {
        "domain": "example.com",
        "hosted_zone_id": "Z12345",
        "admin_secret": "env:ADMIN_PASSWORD",
        "networks": ["10.0.0.0/8"],
        "patience": 90.0,
        "note": None,
    }
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert not (folder / ".migrator" / "init.json").exists()
    assert person.said[-2:] == ["Next: migrator rehearse migration.yaml", "Then: migrator run migration.yaml"]
    text = (folder / FILE).read_text("utf-8")
    assert "runbook: ./small.yaml" in text
    assert "  # The domain\n  # domain; needed\n  domain: example.com\n" in text
    assert '  # networks: ["10.0.0.0/8"]\n' in text


def test_the_defaults_are_asked_when_wanted_and_an_accepted_default_stays_a_comment(folder: Path) -> None:
    person = Person({**NEEDED, "3 values have a default": "Yes", "patience:": "5m", "note:": ""})
    sit(folder, person).run()
    assert person.defaults["networks:"] == "10.0.0.0/8"
    assert written(folder)["patience"] == 300.0
    assert "  patience: 5m\n" in (folder / FILE).read_text("utf-8")
    assert "  # networks:" in (folder / FILE).read_text("utf-8")


@pytest.mark.parametrize(
    "stop", ["hosted_zone_id:", "admin_secret:", "3 values", "note:", "Everything right?"]
)
def test_interrupted_anywhere_nothing_is_lost_and_nothing_is_asked_twice(folder: Path, stop: str) -> None:
    replies = {**NEEDED, "3 values have a default": "Yes", "patience:": "5m"}
    first = Person(dict(replies), stop_at=stop)
    with pytest.raises(Stopped):
        sit(folder, first).run()
    kept = folder / ".migrator" / "init.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not (folder / FILE).exists()
    second = Person({**replies, "Go on with them?": "Go on"})
    sit(folder, second, runbook="").run()
    answered = {message for message in first.asked if message in NEEDED or message == "patience:"} - {stop}
    assert answered
    assert not answered & set(second.asked)
    assert written(folder)["patience"] == 300.0
    assert written(folder)["domain"] == "example.com"
    assert not kept.exists()


def test_kept_answers_can_be_offered_again_and_survive_a_second_interruption(folder: Path) -> None:
    with pytest.raises(Stopped):
        sit(folder, Person(dict(NEEDED), stop_at="admin_secret:")).run()
    again = Person({"Go on with them?": "Ask everything"}, stop_at="domain:")
    with pytest.raises(Stopped):
        sit(folder, again).run()
    assert again.defaults["domain:"] == "example.com"
    third = Person({"Go on with them?": "Ask everything", "admin_secret:": "env:A"})
    kept = json.loads((folder / ".migrator" / "init.json").read_text("utf-8"))
    assert kept["offered"] == {"domain": "example.com", "hosted_zone_id": "Z12345"}
    sit(folder, third, runbook="").run()
    assert written(folder)["hosted_zone_id"] == "Z12345"


def test_kept_answers_can_be_forgotten(folder: Path) -> None:
    with pytest.raises(Stopped):
        sit(folder, Person(dict(NEEDED), stop_at="admin_secret:")).run()
    person = Person({**NEEDED, "Go on with them?": "Forget", "domain:": "example.org"})
    sit(folder, person).run()
    assert person.defaults["domain:"] == ""
    assert written(folder)["domain"] == "example.org"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": 2}', '{"format": 1, "answers": 5}', '{"format": 1, "x": 1}', "[" * 9_999],
)
def test_kept_answers_that_cannot_be_read_are_set_aside(folder: Path, content: str) -> None:
    (folder / ".migrator").mkdir()
    (folder / ".migrator" / "init.json").write_text(content, "utf-8")
    person = Person(dict(NEEDED))
    sit(folder, person).run()
    assert (folder / ".migrator" / "init.json.unreadable").read_text("utf-8") == content
    assert any("set aside" in line for line in person.said)


def test_a_kept_answer_that_no_longer_fits_is_asked_again(folder: Path) -> None:
    with pytest.raises(Stopped):
        sit(folder, Person(dict(NEEDED), stop_at="admin_secret:")).run()
    kept = folder / ".migrator" / "init.json"
    kept.write_text(kept.read_text("utf-8").replace("Z12345", "z-1"), "utf-8")
    person = Person({**NEEDED, "Go on with them?": "Go on"})
    sit(folder, person, runbook="").run()
    assert person.defaults["hosted_zone_id:"] == "z-1"
    assert "domain:" not in person.asked


def test_an_existing_file_is_left_changed_or_replaced_as_asked(folder: Path) -> None:
    sit(folder, Person(dict(NEEDED))).run()
    before = (folder / FILE).read_text("utf-8")
    assert sit(folder, Person({f"{FILE} is there already.": "Leave"})).run() == 0
    assert (folder / FILE).read_text("utf-8") == before
    sit(folder, Person({f"{FILE} is there already. Replace": "No", f"{FILE} is": "Change"})).run()
    assert (folder / FILE).read_text("utf-8") == before
    assert (folder / ".migrator" / "init.json").exists()
    change = Person(
        {
            "Go on": "Forget",
            f"{FILE} is there already. Replace": "Yes",
            f"{FILE} is": "Change",
            "domain:": "example.org",
            "Everything right?": "Yes",
        }
    )
    sit(folder, change, runbook="").run()
    assert change.defaults["hosted_zone_id:"] == "Z12345"
    assert written(folder)["domain"] == "example.org"
    assert (folder / f"{FILE}.old").read_text("utf-8") == before


def test_a_secret_in_an_existing_file_is_neither_offered_nor_kept(folder: Path) -> None:
    (folder / FILE).write_text(
        "format: 1\nrunbook: ./small.yaml\nvalues:\n  admin_secret: hunter2-hunter2\n  domain: Bad\n", "utf-8"
    )
    person = Person({**NEEDED, f"{FILE} is there already.": "Change"}, stop_at="admin_secret:")
    with pytest.raises(Stopped):
        sit(folder, person).run()
    assert person.defaults["domain:"] == "Bad"
    assert "hunter2" not in repr(person)
    assert "hunter2" not in (folder / ".migrator" / "init.json").read_text("utf-8")


def test_a_damaged_existing_file_is_told_and_can_be_replaced(folder: Path) -> None:
    (folder / FILE).write_bytes(b"\xff\x00 not yaml: [")
    person = Person({**NEEDED, f"{FILE} is there already. Replace": "Yes", f"{FILE} is": "Change"})
    sit(folder, person).run()
    assert any("cannot be read" in line for line in person.said)
    assert written(folder)["domain"] == "example.com"


def test_an_answer_can_be_changed_in_the_review(folder: Path) -> None:
    views = iter([1, 0])
    names = iter(["example.com", "example.org"])
    person = Person(
        {
            **NEEDED,
            "Everything right?": lambda options, _: options[next(views)].value,
            "Which one?": "domain",
            "domain:": lambda _options, _default: next(names),
        }
    )
    sit(folder, person).run()
    assert written(folder)["domain"] == "example.org"


def test_values_of_the_command_line_are_not_asked(folder: Path) -> None:
    person = Person(dict(NEEDED))
    sit(folder, person, domain="example.net").run()
    assert "domain:" not in person.asked
    assert written(folder)["domain"] == "example.net"
    with pytest.raises(UsageError, match="--set"):
        sit(folder, Person({}), domain="Not A Domain").run()
    with pytest.raises(UsageError, match="no variable"):
        sit(folder, Person({}), domian="example.com").run()


def test_what_aws_knows_is_proposed_with_the_zone_of_the_domain_first(folder: Path) -> None:
    machine = Machine(
        profiles=(AwsProfile("default"), AwsProfile("prod", "eu-west-1")),
        facts=AwsFacts(account="111122223333", zones=zones("example.com", "example.org")),
    )
    person = Person({**NEEDED, "Ask AWS?": "prod", "domain:": "example.org", "hosted_zone_id:": "Z000002"})
    sit(folder, person, machine).run()
    assert machine.looked == [("prod", "eu-west-1")]
    assert [o.value for o in person.options["domain:"]][:2] == ["example.com", "example.org"]
    assert [o.value for o in person.options["hosted_zone_id:"]][:2] == ["Z000002", "Z000001"]
    assert person.said[-1] == "Then: AWS_PROFILE=prod AWS_REGION=eu-west-1 migrator run migration.yaml"


def test_aws_is_not_asked_without_consent_or_with_a_profile_that_asks_itself(folder: Path) -> None:
    machine = Machine(profiles=(AwsProfile("mfa", "eu-west-1", asks=True),))
    sit(folder, Person({**NEEDED, "Ask AWS?": "No"}), machine).run()
    (folder / FILE).unlink()
    sit(folder, Person({**NEEDED, "Ask AWS?": "mfa"}), machine).run()
    assert machine.looked == []


def test_what_aws_does_not_answer_is_told_and_harms_nothing(folder: Path) -> None:
    machine = Machine(own_credentials=True, facts=AwsFacts(problems=("the credentials have expired",)))
    person = Person({**NEEDED, "Ask AWS?": "Credentials of"})
    sit(folder, person, machine).run()
    assert "Not known from AWS: the credentials have expired" in person.said
    assert written(folder)["domain"] == "example.com"


def test_a_secret_that_is_not_readable_yet_is_only_a_word(folder: Path) -> None:
    person = Person(dict(NEEDED))
    sit(folder, person).run()
    assert any("Not readable here yet" in line for line in person.said)


def habitcraft(folder: Path) -> dict[str, str]:
    runbook = LocalControl(folder).runbook("habitcraft")
    return {f"{v.name}:": fitting(v) for v in runbook.variables if v.required and v.default is None}


def test_the_database_is_tried_once_all_of_it_is_known(folder: Path) -> None:
    machine = Machine(
        database=("192.0.2.7", 5432),
        images=("docker:other:1", "docker:shop-backend:2"),
        layouts=("oci:/srv/frontend",),
    )
    replies = {
        **habitcraft(folder),
        "source_database_host:": "192.0.2.7",
        "backend_image:": "docker:shop-backend:2",
    }
    person = Person({**replies})
    sit(folder, person, machine, runbook="habitcraft").run()
    tried = machine.tried[0]
    assert (tried.host, tried.port, tried.user, str(tried.password)) == (
        "192.0.2.7",
        5432,
        replies["source_admin_role:"],
        "env:SOME_PASSWORD",
    )
    assert any("PostgreSQL 15.18 answers" in line for line in person.said)
    assert person.options["backend_image:"][0].value == "docker:shop-backend:2"
    assert person.options["frontend_image:"][0].value == "oci:/srv/frontend"
    assert person.defaults["source_database_host:"] == "192.0.2.7"


def test_availability_zones_of_another_region_are_asked_for(folder: Path) -> None:
    machine = Machine(
        profiles=(AwsProfile("prod", "eu-west-1"),),
        facts=AwsFacts(availability_zones=("eu-west-1a", "eu-west-1b", "eu-west-1c")),
    )
    person = Person({**habitcraft(folder), "Ask AWS?": "prod"})
    sit(folder, person, machine, runbook="habitcraft").run()
    values, _ = resolve_values(
        LocalControl(folder).runbook("habitcraft"), load_migration(folder / FILE).values, "run"
    )
    assert values["availability_zones"] == ["eu-west-1a", "eu-west-1b"]


def test_a_database_that_does_not_answer_can_be_answered_again(folder: Path) -> None:
    machine = Machine(closed="connection refused")
    hosts = iter(["db.example.com", "db2.example.com"])
    keep = iter(["again", "keep"])
    person = Person(
        {
            **habitcraft(folder),
            "source_database_host:": lambda _o, _d: next(hosts),
            "Keep these answers?": lambda _o, _d: next(keep, "keep"),
        }
    )
    sit(folder, person, machine, runbook="habitcraft").run()
    values = load_migration(folder / FILE).values
    assert getattr(values["source_database_host"], "value") == "db2.example.com"  # noqa: B009
    assert any("connection refused" in line for line in person.said)


def test_two_at_once_in_one_folder_are_refused(folder: Path) -> None:
    with Notebook(folder).held(), pytest.raises(Locked), Notebook(folder).held():
        pass
    assert not (folder / ".migrator").exists()


def test_a_folder_that_cannot_be_written_is_a_usage_error(folder: Path) -> None:
    (folder / "file").write_text("", "utf-8")
    with pytest.raises(UsageError, match="cannot be written"), Notebook(folder / "file").held():
        pass
