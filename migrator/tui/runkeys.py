"""The run screen's keys, as its help shows them."""

from __future__ import annotations

from migrator.tui.paint import Line, line


def _key(key: str, what: str) -> Line:
    return line((f"  {key:<13}", "key"), what)


HELP: tuple[Line, ...] = (
    line(("Looking", "head")),
    _key("up down", "choose a step; left and right close and open a phase"),
    _key(".", "go to where the run is, and stay with it"),
    _key("1 … 6", "step, log, Terraform, database, traffic, journal"),
    _key("Tab", "from the tree to the right side and back"),
    _key("/", "find: steps in the tree, lines in the tab that has the keys"),
    _key("n N &", "in the log: next match, match before, only matching lines"),
    _key("a", "the logs of all steps together, or the chosen step's"),
    _key("f", "in the log: follow the end, or hold still"),
    _key("z", "the right side over the whole width, and back"),
    _key("Esc", "away with what was found; back to the tree"),
    line(("Deciding", "head")),
    _key("Enter", "answer what is asked: a decision, or how to go on after trouble"),
    _key("g", "open the decision that waits, wherever you are"),
    _key("x", "what may be done about the chosen step: try again, undo, skip, end"),
    _key("p", "pause after what is at work; again: go on"),
    _key("c", "go on after a pause"),
    _key("r", "go on with a run that nobody leads"),
    _key("s", "from watching to steering"),
    line(("Taking along", "head")),
    _key("y", "copy the chosen log line, or the step's newest real command"),
    _key("Y", "copy the whole tab"),
    _key("e", "the runbook at this step, in your editor"),
    _key("R", "the report as it stands; kept as a file from there"),
    _key("Ctrl-P", "all commands by name; themes"),
    line(("Leaving", "head")),
    _key("q", "leave; the run goes on, migrator attach comes back"),
    _key("Ctrl-C", "asks: pause, interrupt, or leave"),
    line(),
    line(("States  ", "head"), "· to do  ▶ at work  ‖ side by side  ◷ waits  ◆ asks you  ✓ done"),
    line("        ? in doubt  ✗ failed  ■ blocked  » skipped  ○ undone"),
)
