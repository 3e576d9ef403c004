"""The page: one well-formed file, nothing fetched or run, nothing from outside that is markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from migrator.model.records import Kind
from migrator.report import to_html
from migrator.report.markup import Markup, element, escape, table
from tests.report.stories import HOSTILE, TRAFFIC, Story, full, hostile, timeline, troubled

XHTML = "{http://www.w3.org/1999/xhtml}"
KNOWN = (
    "html head meta title style body header main footer nav section div p span b strong em h1 h2 h3 h4 ul "
    "li a code table thead tbody tr th td details summary article figure figcaption svg wbr defs pattern path "
    "rect line text "
)
ATTRIBUTES = (
    "lang xmlns charset http-equiv content name id class href scope data-label open title role aria-label "
    "aria-hidden width height x y x1 x2 y1 y2 d viewBox preserveAspectRatio patternUnits text-anchor "
    "vector-effect "
)


class Reader(HTMLParser):
    """Reads as a browser would; notes tags, attributes and what stays open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self._note(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "data")]


def parsed(page: str) -> ET.Element:
    """Well-formed for both readers, with nothing but the elements and attributes that we write."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert reader.tags <= set(KNOWN.split()), reader.tags
    assert reader.attributes <= set(ATTRIBUTES.lower().split()), reader.attributes
    assert all(link.startswith("#") for link in reader.links)
    return ET.fromstring(page)


def words(page: str) -> str:
    body = parsed(page).find(f"{XHTML}body")
    assert body is not None
    return " ".join("".join(body.itertext()).split())


def section(page: str, name: str) -> ET.Element | None:
    return next((s for s in parsed(page).iter(f"{XHTML}section") if s.get("id") == name), None)


@pytest.mark.parametrize("story", [full(), full(measured=False, mode="run"), troubled(), Story()])
def test_well_formed_and_self_contained(story: Story) -> None:
    page = to_html(story.report)
    parsed(page)
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert not re.search(r"@import|@font-face|url\((?!#)", page)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_text_from_outside_stays_text(text: str) -> None:
    page = to_html(hostile(text).report)
    parsed(page)
    allowed = {"\n"}
    bad = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
    assert not bad.search("".join(c for c in page if c not in allowed))
    assert len(page) < 2_000_000


def test_hostile_text_is_shown_as_it_is() -> None:
    shown = words(to_html(hostile(HOSTILE[0]).report))
    assert "<script>alert(1)</script>" in shown


def test_the_outcome_comes_first() -> None:
    found = words(to_html(full().report))
    order = [
        "REHEARSAL",
        "Moving the test",
        "✓ Done",
        "Service unavailable",
        "5.2 s",
        "No step at work",
    ]
    places = [found.index(word) for word in order]
    assert places == sorted(places)


def test_a_real_run_and_a_rehearsal_are_not_mistaken() -> None:
    real, twin = words(to_html(full(mode="run").report)), words(to_html(full().report))
    assert "LIVE" in real
    assert "could not prove" not in real
    assert "REHEARSAL" in twin
    assert "AWS was an emulator" in twin


def test_every_section_of_a_whole_run() -> None:
    page = to_html(full().report)
    for name, said in {
        "traffic": "old platform",
        "timeline": "Do network",
        "times": "Terraform and PostgreSQL together",
        "database": "Every check is ok.",
        "dns": "CNAME old",
        "terraform": "test/registry",
        "images": "sha256:aaaa",
        "decisions": "all green",
        "steps": "look is there",
        "limits": "1 d 0 h",
        "leftovers": "None.",
        "cost": "38.50",
        "versions": "0.1.0",
    }.items():
        found = section(page, name)
        assert found is not None, name
        assert said in "".join(found.itertext()), name
    assert section(page, "trouble") is None


def test_trouble_is_said_and_open() -> None:
    page = to_html(troubled().report)
    found = section(page, "trouble")
    assert found is not None
    said = "".join(found.itertext())
    assert "the quota is used up" in said
    assert "Do registry: skipped by ada, because: made by hand" in said
    assert "✗ Failed" in words(page)
    assert "found in place" in words(page)
    assert [d.get("open") for d in parsed(page).iter(f"{XHTML}details")] == ["open", None]


def test_nothing_measured_is_said_so() -> None:
    found = words(to_html(full(measured=False).report))
    assert "Writes lost not measured" in found.replace("lostnot", "lost not")
    assert "Traffic was not measured." in found


def test_one_row_a_step_and_one_a_phase() -> None:
    found = section(to_html(full().report), "timeline")
    assert found is not None
    rows = [str(d.get("class")) for d in found.iter(f"{XHTML}div") if str(d.get("class")).startswith("row")]
    assert rows.count("row phase") == 2
    assert rows.count("row step") == 9 + 4, "nine steps, and four again in the downtime window"
    bars = [
        r
        for r in found.iter(f"{XHTML}rect")
        if str(r.get("class")).startswith("bar terraform") and r.get("x")
    ]
    places = [
        (float(str(b.get("x")).rstrip("%")), float(str(b.get("width")).rstrip("%")))
        for b in bars
        if "%" in str(b.get("x"))
    ]
    assert places[0][0] == places[1][0], "side by side"
    assert places[0][1] == pytest.approx(2 * places[1][1], abs=0.01)
    assert all(0 <= left <= left + width <= 100.01 for left, width in places)


def test_a_long_time_line_is_drawn_in_buckets() -> None:
    story = Story()
    story.say(
        5, Kind.MEASURED, name="traffic", values={**TRAFFIC, "timeline": timeline(5_000, range(700, 702))}
    )
    page = to_html(story.report)
    assert "Each step of the picture is 21 seconds" in words(page)
    found = section(page, "traffic")
    assert found is not None
    assert len([r for r in found.iter(f"{XHTML}rect") if r.get("class") == "shut"]) == 3, (
        "one in each picture"
    )


def test_elements() -> None:
    assert element("p", "a < b", None, 3, ["x", Markup("<b/>")]) == "<p>a &lt; b3x<b/></p>"
    assert element("td", class_='a"b', data_label=None, open=True) == '<td class="a&quot;b" open="open"></td>'
    assert element("rect", x=1.5, class_="c") == '<rect x="1.5" class="c"/>'
    assert escape("a\u202eb\x1b[31mc ") == "abc "
    assert "<td>1</td>" in table(("",), [(1,)])
