"""The command line. It parses and hands over: nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from migrator import __version__
from migrator.errors import ExitCode, MigratorError

if TYPE_CHECKING:
    from migrator.runner.control import LocalControl
    from migrator.runner.folders import RunFolder

Handler = Callable[[argparse.Namespace], int]

_ORDERS = {
    "approve": "approve a gate or a manual step that waits for a decision",
    "pause": "start nothing new after the steps at work",
    "continue": "go on after a pause",
    "retry": "try a failed or blocked step again",
    "skip": "leave a failed step out; needs --reason; skipped is not done",
    "abort": "end the run after the steps at work; nothing is taken back",
    "interrupt": "interrupt the steps at work now; they are then in doubt and will be probed",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; gives its exit code (see `ExitCode`)."""
    os.umask(0o077)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(argv)
        handler: Handler = options.handler
        code = handler(options)
        sys.stdout.flush()
        return code
    except MigratorError as error:
        print(f"migrator: {error}", file=sys.stderr)  # noqa: T201
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="migrator",
        description="A guided wizard that moves a running application to new AWS infrastructure.",
        epilog="Exit codes: 0 done, 1 a step failed (resumable), 2 usage or invalid runbook, 3 waits for a decision "
        "or a time, 4 credentials, 5 locked by another run, 6 rollback failed, 129/130/143 signals.",
    )
    parser.add_argument("--version", action="version", version=f"migrator {__version__}")
    parser.set_defaults(handler=_home)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_init(commands)
    _add_starting(commands)
    _add_watching(commands)
    _add_orders(commands)
    _add_reading(commands)
    return parser


def _add_init(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "questions become a migration.yaml"
    parser = commands.add_parser("init", help=what, description=f"{what.capitalize()} in DIR.")
    parser.add_argument("dir", metavar="DIR", nargs="?", default=".", help="its folder (default: this one)")
    parser.add_argument("--runbook", metavar="NAME|FILE", default="", help="what is to be moved")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="an answer; may be repeated"
    )
    parser.add_argument(
        "--no-input", action="store_true", help="never ask: write what --runbook and --set say, or refuse"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    parser.set_defaults(handler=_init)


def _add_starting(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, what in (
        ("rehearse", "perform the whole run on a throw-away twin on this machine"),
        ("run", "start the real run"),
    ):
        parser = commands.add_parser(name, help=what, description=what)
        parser.add_argument(
            "target",
            metavar="FILE|NAME",
            nargs="?",
            default="migration.yaml",
            help="a migration file, or a shipped runbook's name (default: migration.yaml)",
        )
        _add_leading(parser)
        if name == "rehearse":
            parser.add_argument("--rows", type=int, help="rows of the made data set (default: the runbook's)")
            parser.add_argument(
                "--source-dump", metavar="FILE", help="rehearse with your own data: a pg_dump file"
            )
            parser.add_argument(
                "--source-url", metavar="URL", help="rehearse with a copy of the database at this address"
            )
        parser.set_defaults(handler=_begin, mode=name)
    resume = commands.add_parser(
        "resume", help="go on with a half-finished run (default: the latest unfinished)"
    )
    resume.add_argument("run", metavar="RUN", nargs="?", default="")
    resume.add_argument(
        "--look",
        action="store_true",
        help="only ask the world whether what is done still holds; nothing is sent",
    )
    _add_leading(resume)
    resume.set_defaults(handler=_resume)


def _add_leading(parser: argparse.ArgumentParser) -> None:
    _add_face(parser)
    parser.add_argument("--yes", action="store_true", help="approve the gates that the runbook allows to be")
    parser.add_argument(
        "--no-input", action="store_true", help="never ask; stop with code 3 when a person is needed"
    )
    parser.add_argument(
        "--confirm", metavar="TEXT", default="", help="the text that a typed confirmation asks for"
    )


def _add_face(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plain", action="store_true", help="lines of text, also in a terminal")
    parser.add_argument("--json", action="store_true", help="one JSON event a line")


def _add_watching(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    attach = commands.add_parser(
        "attach", help="watch a run from another terminal (default: the latest unfinished)"
    )
    attach.add_argument("run", metavar="RUN", nargs="?", default="")
    _add_face(attach)
    attach.set_defaults(handler=_attach)
    status = commands.add_parser("status", help="where a run stands, what is in doubt, what is next")
    status.add_argument("run", metavar="RUN", nargs="?", default="")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(handler=_status)


def _add_orders(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, what in _ORDERS.items():
        parser = commands.add_parser(name, help=what, description=what)
        parser.add_argument("run", metavar="RUN")
        parser.add_argument("step", metavar="STEP", nargs="?", default="")
        parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept in the report")
        parser.add_argument(
            "--confirm", metavar="TEXT", default="", help="the text that the gate asks to type"
        )
        parser.set_defaults(handler=_order, command=name)


def _add_reading(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    runs = commands.add_parser("runs", help="list the runs here")
    runs.add_argument("--json", action="store_true", help="one JSON object a line")
    runs.set_defaults(handler=_runs)
    report = commands.add_parser("report", help="show the report of a run (default: the latest)")
    report.add_argument("run", metavar="RUN", nargs="?", default="")
    report.add_argument("--format", choices=("md", "html", "json"), default="md")
    report.set_defaults(handler=_report)
    validate = commands.add_parser(
        "validate", help="every problem of a runbook or migration file, with its place"
    )
    validate.add_argument("target", metavar="FILE|NAME", nargs="?", default="migration.yaml")
    validate.set_defaults(handler=_validate)
    book = commands.add_parser("runbook", help="the shipped runbooks")
    parts = book.add_subparsers(title="commands", metavar="COMMAND", required=True)
    parts.add_parser("list", help="their names").set_defaults(handler=_runbook_list)
    show = parts.add_parser("show", help="one of them as a checklist for people")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(handler=_runbook_show)


def _control() -> LocalControl:
    from migrator.runner.control import LocalControl

    return LocalControl(Path.cwd())


def _interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def _has_wizard() -> bool:
    from importlib.util import find_spec

    return find_spec("migrator.tui.app") is not None


def _screen(options: argparse.Namespace) -> bool:
    plain = (
        options.plain or options.json or any(getattr(options, name, False) for name in ("no_input", "look"))
    )
    return not plain and _interactive() and _has_wizard()


def _home(_options: argparse.Namespace) -> int:
    if not _interactive():
        _parser().print_help(sys.stderr)
        return int(ExitCode.USAGE)
    if not _has_wizard():
        return _runs(argparse.Namespace(json=False))
    from migrator.tui.app import run_home
    from migrator.tui.late import LateControl

    return run_home(LateControl(_control))


def _init(options: argparse.Namespace) -> int:
    from migrator.console.init import InitOptions, run_init

    return run_init(
        _control(),
        InitOptions(
            folder=options.dir,
            runbook=options.runbook,
            settings=tuple(options.set),
            interactive=_interactive() and not options.no_input,
            no_input=options.no_input,
            overwrite=options.overwrite,
        ),
    )


def _begin(options: argparse.Namespace) -> int:
    attended = _interactive() and not options.no_input
    unasked = options.mode == "rehearse" and (not attended or options.plain or options.json)

    def begin() -> Path:
        from migrator.contracts.control import StartOptions

        start = StartOptions(
            attended=attended,
            yes=options.yes or unasked,
            confirm=options.confirm,
            rows=getattr(options, "rows", None),
            source_dump=getattr(options, "source_dump", None),
            source_url=getattr(options, "source_url", None),
        )
        return _control().begin(options.target, options.mode, start)

    what = "preparing the rehearsal …" if options.mode == "rehearse" else "preparing the live run …"
    return _watch(options, begin, opening=what)


def _resume(options: argparse.Namespace) -> int:
    def find() -> Path:
        from migrator.contracts.control import StartOptions

        run = _find(options.run, unfinished=True)
        if options.look:
            _control().resume(run.path, StartOptions(attended=False, only_look=True))
            return run.path
        if _screen(options) and not (options.yes or options.confirm):
            # The wizard shows where the run stands first; a key starts the runner.
            return run.path
        control = _control()
        attended = _interactive() and not options.no_input
        rehearsal = control.mode(run.path) == "rehearse"
        unasked = rehearsal and (not attended or options.plain or options.json)
        control.resume(
            run.path, StartOptions(attended=attended, yes=options.yes or unasked, confirm=options.confirm)
        )
        return run.path

    return _watch(options, find, ended=("waiting", "paused") if options.look else ())


def _attach(options: argparse.Namespace) -> int:
    return _watch(options, lambda: _find(options.run, unfinished=True).path, read_only=True)


def _watch(
    options: argparse.Namespace,
    where: Callable[[], Path],
    *,
    read_only: bool = False,
    opening: str = "reading the journal …",
    ended: tuple[str, ...] = (),
) -> int:
    """Shows a run, on a screen that stands before the run is found or begun, or in lines."""
    if _screen(options):
        from migrator.tui.app import run_view
        from migrator.tui.late import LateControl

        return run_view(LateControl(_control), where, read_only=read_only, opening=opening)
    from migrator.console.follow import follow

    return follow(_control(), where(), as_json=options.json, ended=ended)


def _find(name: str, *, unfinished: bool = False) -> RunFolder:
    from migrator.runner.control import find_or_latest

    return find_or_latest(Path.cwd(), name, unfinished=unfinished)


def _status(options: argparse.Namespace) -> int:
    from migrator.console.lists import print_status

    return print_status(_control(), _find(options.run).path, as_json=options.json)


def _order(options: argparse.Namespace) -> int:
    from migrator.console.lists import give_order

    return give_order(
        _control(), _find(options.run).path, options.command, options.step, options.reason, options.confirm
    )


def _runs(options: argparse.Namespace) -> int:
    from migrator.console.lists import print_runs

    return print_runs(_control(), as_json=options.json)


def _report(options: argparse.Namespace) -> int:
    print(_control().report(_find(options.run).path, options.format), end="")  # noqa: T201
    return int(ExitCode.DONE)


def _validate(options: argparse.Namespace) -> int:
    from migrator.console.lists import print_valid

    return print_valid(_control(), options.target)


def _runbook_list(_options: argparse.Namespace) -> int:
    from migrator.console.lists import print_runbooks

    return print_runbooks(_control())


def _runbook_show(options: argparse.Namespace) -> int:
    from migrator.console.checklist import checklist

    print(checklist(_control().runbook(options.name)), end="")  # noqa: T201
    return int(ExitCode.DONE)
