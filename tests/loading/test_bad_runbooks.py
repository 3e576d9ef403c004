"""Bad runbooks, and exactly what is said of each: every problem, with its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loading.books import changed, told

# Name: replacements in the good runbook, then the problems.
CASES: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "good": (
        [],
        [],
    ),
    "unknown_keys": (
        [
            ("title: A small move", "titel: A small move"),
            ("        why: To know.", "        wy: To know."),
            ("          host: www.${vars.domain}", "          hst: www.${vars.domain}"),
        ],
        [
            "1:1: the key 'title' is missing",
            "3:1: unknown key 'titel'; did you mean 'title'?",
            "13:9: the key 'why' is missing",
            "15:9: unknown key 'wy'; did you mean 'why'?",
            "20:11: the key 'host' is missing",
            "20:11: unknown key 'hst'; did you mean 'host'?",
        ],
    ),
    "empty_texts": (
        [("proof: It is seen.", "proof: ''"), ("back: Say no.", "back:"), ("why: It is needed.", "why: [a]")],
        ["16:16: must not be empty", "25:14: must not be empty", "37:14: must be a text, not a list"],
    ),
    "two_kinds": (
        [("        gate:", ("        wait: {for: 1h, reason: Why not}\n        gate:"))],
        [
            (
                "26:9: exactly one of 'action', 'gate', 'wait', 'manual' must be here; there is '"
                "gate' and 'wait'"
            )
        ],
    ),
    "no_kind": (
        [("        action: stack.apply", "")],
        [("35:9: exactly one of 'action', 'gate', 'wait', 'manual' must be here; there is none of them")],
    ),
    "unknown_action": (
        [("action: look.at", "action: look.ta")],
        ["18:17: there is no action 'look.ta'; did you mean 'look.at'?"],
    ),
    "no_with": (
        [(("        with:\n          host: ${steps.network.vpc_id}\n"), "")],
        ["50:9: look.at needs parameters under 'with': host"],
    ),
    "types": (
        [
            (
                "          host: www.${vars.domain}",
                (
                    "          host: [a]\n"
                    "          times: many\n"
                    "          deep: maybe\n"
                    "          timeout: soon\n"
                    "          scheme: htps\n"
                    "          note: null\n"
                    "          names: www"
                ),
            )
        ],
        [
            "20:17: must be a text, not a list",
            "21:18: 'many' is not a whole number",
            "22:17: 'maybe' is not true or false",
            "23:20: 'soon' is not a duration such as 90s, 5m, 24h or 3d",
            "24:19: 'htps' is not one of the choices; did you mean 'https'?",
            "26:18: must be a list, not a single value",
        ],
    ),
    "strings_are_not_guessed": (
        [
            (
                "          host: www.${vars.domain}",
                (
                    "          host: no\n"
                    "          times: '2'\n"
                    "          deep: no\n"
                    "          names: [1.10, 22:22, null]"
                ),
            )
        ],
        [],
    ),
    "record_params": (
        [
            (
                ("action: look.at\n        with:\n          host: www.${vars.domain}"),
                (
                    "action: copy.all\n"
                    "        with:\n"
                    "          source: {host: a, prot: 5432, password: hunter2}\n"
                    "          anything: {a: [1, 1.10, 22:22, no, true, ~]}"
                ),
            )
        ],
        [
            "20:19: the key 'port' is missing",
            "20:29: unknown key 'prot'; did you mean 'port'?",
            "20:51: this is not a secret's place: env:NAME, file:/path or aws:NAME#key",
            "31:22: the step 'first' cannot be evidence: it is not a read-only action",
        ],
    ),
    "references": (
        [
            ("www.${vars.domain}", "${vars.domian} ${steps.netwrk.vpc_id} ${run.regoin} ${env.HOME} ${vars}"),
            (
                "host: ${steps.network.vpc_id}",
                "host: ${steps.network.vpcid} ${steps.decide.answer} ${steps.first} ${steps.note.seen}",
            ),
        ],
        [
            "20:17: '${env.HOME}': an expression starts with vars., steps. or run.",
            "20:17: '${run.regoin}': there is no fact of the run 'regoin'; did you mean 'region'?",
            "20:17: '${steps.netwrk.vpc_id}': there is no step 'netwrk'; did you mean 'network'?",
            "20:17: '${vars.domian}': there is no variable 'domian'; did you mean 'domain'?",
            "20:17: '${vars}': an expression starts with vars., steps. or run.",
            "52:17: '${steps.decide.answer}': 'decide' is a gate without outputs",
            "52:17: '${steps.first}': say which output of 'first' is meant",
            (
                "52:17: '${steps.network.vpcid}': there is no output of network 'vpcid'; did you "
                "mean 'vpc_id'?"
            ),
            "52:17: '${steps.note.seen}': 'note' is the step itself",
        ],
    ),
    "later": (
        [("www.${vars.domain}", "${steps.network.vpc_id}")],
        ["20:17: '${steps.network.vpc_id}': 'network' stands later in the file"],
    ),
    "malformed": (
        [("www.${vars.domain}", "www.${vars.domain"), ("cidr: 10.0.0.0/16", "cidr: ${a b}")],
        [
            (
                "20:17: '${vars.domain' is not an expression such as ${vars.name}; write $${ for "
                "the characters themselves"
            ),
            (
                "44:19: '${a b}' is not an expression such as ${vars.name}; write $${ for the cha"
                "racters themselves"
            ),
        ],
    ),
    "stack": (
        [("cidr: 10.0.0.0/16", "cdir: 10.0.0.0/16")],
        [
            "44:13: the stack has no variable 'cdir'; did you mean 'cidr'?",
            "44:13: the stack's variable 'cidr' is missing",
        ],
    ),
    "no_stack": (
        [("demo/network", "demo/netwrk")],
        ["42:18: there is no stack 'demo/netwrk'; did you mean 'demo/network'?"],
    ),
    "stack_escape": (
        [("demo/network", "../demo/network")],
        ["42:18: there is no stack '../demo/network'; did you mean 'demo/network'?"],
    ),
    "ids": (
        [("id: decide", "id: first"), ("id: note", "id: Note-1"), ("id: build", "id: look")],
        [
            "21:13: the step 'first' is there already, in line 13",
            "31:9: the phase 'look' is there already, in line 9",
            ("45:13: 'Note-1' does not fit: lower-case letters, digits and _, and must start with a letter"),
        ],
    ),
    "needs": (
        [("back: Forget it.", ("back: Forget it.\n        needs: [netwrk]\n        holds_until: first"))],
        [
            "50:17: there is no step 'netwrk'; did you mean 'network'?",
            "51:22: the step 'first' does not come after this one",
        ],
    ),
    "cycle": (
        [("back: Undo destroys it.", ("back: Undo destroys it.\n        needs: [note]"))],
        ["40:17: steps need each other: network → note → network"],
    ),
    "self": (
        [("back: Undo destroys it.", ("back: Undo destroys it.\n        needs: [network]"))],
        ["40:17: steps need each other: network → network; 1 other step could never start"],
    ),
    "phase_cycle": (
        [("summary: Only looks.", ("summary: Only looks.\n    after: [build]"))],
        ["12:5: phases wait for each other: look → build → look"],
    ),
    "cycle_blocks": (
        [("back: Nothing to do.", ("back: Nothing to do.\n        needs: [decide]"))],
        ["18:17: steps need each other: first → decide → first; 2 other steps could never start"],
    ),
    "phase_after": (
        [("summary: Builds.", ("summary: Builds.\n    after: [lok]"))],
        ["34:13: there is no phase 'lok'; did you mean 'look'?"],
    ),
    "evidence": (
        [("evidence: [first]", "evidence: [frist, note, decide]")],
        [
            "30:22: there is no step 'frist'; did you mean 'first'?",
            "30:29: the step 'note' does not come before this gate",
            "30:35: the step 'decide' does not come before this gate",
        ],
    ),
    "evidence_not_read": (
        [
            ("evidence: [first]", "evidence: [first]"),
            ("        action: look.at", "        action: note.now"),
            (("        with:\n          host: www.${vars.domain}\n"), ""),
        ],
        ["28:22: the step 'first' cannot be evidence: it is not a read-only action"],
    ),
    "ponr": (
        [
            ("back: Say no.", ("back: Say no.\n        ponr: new_writes")),
            ("evidence: [first]", "auto: always"),
        ],
        [
            "26:9: a point of no return needs 'confirm' in its gate: the text to type",
            "26:9: a point of no return needs 'evidence' in its gate",
            "31:11: a point of no return is never approved by itself",
        ],
    ),
    "ponr_on_action": (
        [("back: Forget it.", ("back: Forget it.\n        ponr: deletion"))],
        ["50:9: a point of no return is passed at a gate, where a person confirms it"],
    ),
    "downtime": (
        [
            ("back: Forget it.", ("back: Forget it.\n        downtime: starts")),
            ("back: Undo destroys it.", ("back: Undo destroys it.\n        downtime: ends")),
        ],
        ["40:9: no downtime started before this step", "51:9: this downtime never ends"],
    ),
    "wait": (
        [
            (
                (
                    "        gate:\n"
                    "          question: Go on?\n"
                    "          yes: It goes on.\n"
                    "          no: It stops.\n"
                    "          evidence: [first]\n"
                ),
                "        wait: {for: a while, at_least: 1h, rehearsal: -3}\n",
            )
        ],
        [
            "26:15: the key 'reason' is missing",
            "26:21: 'a while' is not a duration such as 90s, 5m, 24h or 3d",
            "26:55: '-3' is not a duration such as 90s, 5m, 24h or 3d",
        ],
    ),
    "variables": (
        [
            ("default: 3", "default: three"),
            ("rehearsal: example.com", "rehearsal: EXAMPLE, rehearsal_from: lab"),
            (
                "phases:",
                (
                    "  Bad-Name: {type: text, description: x}\n"
                    "  mode: {type: choice, description: x, default: a}\n"
                    "  odd: {type: string, description: x, pattern: '[', default: y}\n"
                    "phases:"
                ),
            ),
        ],
        [
            "6:62: 'EXAMPLE' does not fit: a domain name such as example.com, in lower case",
            "6:71: give either 'rehearsal' or 'rehearsal_from'",
            "7:57: 'three' is not a whole number",
            ("8:3: 'Bad-Name' is not a name: lower-case letters, digits and _, and must start with a letter"),
            (
                "8:20: 'text' is not one of the choices; known: boolean, choice, domain, duration"
                ", integer, list, map, number, secret_ref, string"
            ),
            "9:9: 'choices' and the type 'choice' go together",
            "10:48: not a regular expression: unterminated character set at position 0",
        ],
    ),
    "empty_phase": (
        [
            (
                ("  - id: build\n    title: Build\n    summary: Builds.\n    steps:\n"),
                (
                    "  - id: empty\n"
                    "    title: Nothing\n"
                    "    summary: Nothing.\n"
                    "    steps: []\n"
                    "  - id: build\n"
                    "    title: Build\n"
                    "    summary: Builds.\n"
                    "    steps:\n"
                ),
            )
        ],
        ["34:12: the list is empty"],
    ),
    "yaml": (
        [
            ("title: A small move", ("title: A small move\ntitle: Again")),
            ("summary: Builds.", "summary: &a Builds."),
            ("summary: Only looks.", "summary: *a"),
            ("why: To know.", "why: !!str To know."),
            ("proof: It is seen.", 'proof: "It is\\e[2J seen."'),
        ],
        [
            "4:1: the key 'title' stands here twice; first in line 3",
            "12:14: the alias *a is not allowed; write the value out",
            "16:14: the tag 'tag:yaml.org,2002:str' is not allowed",
            "17:16: the control or invisible character U+001B is not allowed",
            "34:14: the anchor &a is not allowed; write the value out",
        ],
    ),
    "syntax": (
        [("summary: Builds.", "summary: 'Builds.")],
        [
            (
                "53:1: not valid YAML: while scanning a quoted scalar that began in line 33: foun"
                "d unexpected end of stream"
            )
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_problems(name: str, tmp_path: Path) -> None:
    changes, problems = CASES[name]
    assert told(tmp_path, changed(*changes)) == problems
