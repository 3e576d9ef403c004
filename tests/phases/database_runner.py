"""A runner to be killed: performs one verb of a database action in a process of its own.

Argument: a JSON file with the servers, the step and its parameters. What a journal would keep goes to files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from migrator.contracts.params import build
from migrator.contracts.process import Child
from migrator.secrets import Secret
from phases.db_migration import ACTIONS
from tests.phases.database_steps import Bench, Recorder
from tests.postgres_lab import Lab


@dataclass
class FileRecorder(Recorder):
    """Keeps memory and children in `path`, as a journal does."""

    path: Path = Path()

    def remember(self, values: Mapping[str, Any]) -> None:
        super().remember(values)
        self._write()

    def spawned(self, child: Child) -> None:
        super().spawned(child)
        self._write()

    def _write(self) -> None:
        children = [{**asdict(child), "folder": str(child.folder)} for child in self.children]
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps({"memory": self.memory, "children": children}))
        temporary.replace(self.path)

    def read(self) -> None:
        """What an earlier runner left."""
        if self.path.exists():
            kept = json.loads(self.path.read_text())
            self.memory = kept["memory"]
            self.children = [
                Child(**{**child, "folder": Path(child["folder"]), "argv": tuple(child["argv"])})
                for child in kept["children"]
            ]


def write_spec(bench: Bench, step: str, action: str, params: Any, path: Path) -> Path:
    """Everything the process needs; 0600, as it holds the lab's passwords."""
    lab = bench.lab
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "source": [lab.clusters.source.host, lab.clusters.source.port],
                "target": [lab.clusters.target.host, lab.clusters.target.port],
                "facts": {**asdict_plain(lab.source)},
                "master": lab.master,
                "master_password": lab.master_password.reveal(),
                "folder": str(bench.folder),
                "step": step,
                "action": action,
                "params": asdict(params),
            }
        )
    )
    return path


def asdict_plain(facts: Any) -> dict[str, str]:
    """A dataclass of texts and secrets, secrets in clear."""
    return {
        name: value.reveal() if isinstance(value, Secret) else value for name, value in vars(facts).items()
    }


def main() -> None:
    """Applies the step."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    facts = {
        name: Secret(value) if name.endswith("password") else value for name, value in spec["facts"].items()
    }
    clusters = SimpleNamespace(
        source=SimpleNamespace(host=spec["source"][0], port=spec["source"][1]),
        target=SimpleNamespace(host=spec["target"][0], port=spec["target"][1]),
    )
    lab = Lab(
        cast(Any, clusters),
        cast(Any, SimpleNamespace(**facts)),
        spec["master"],
        Secret(spec["master_password"]),
    )
    bench = Bench(lab, Path(spec["folder"]))
    channel = FileRecorder(path=Path(spec["folder"]) / f"{spec['step']}.json")
    channel.read()
    bench.channels[spec["step"]] = channel
    action = next(each for each in ACTIONS if each.spec.name == spec["action"])
    params = build(action.spec.params, spec["params"])
    action.apply(bench.context(spec["step"], params))


if __name__ == "__main__":
    main()
