# SPDX-License-Identifier: MIT
"""The report: its numbers are those of the functions, and its page stands alone."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

import linear_regions as lr
from linear_regions import _report
from linear_regions._digits import digits_network, digits_place
from linear_regions._domain_files import Place
from linear_regions._format import grouped, json_text, safe, time_text
from linear_regions._report import default_samples, report
from linear_regions._report_html import report_html
from linear_regions._report_text import count_remark, report_text, rows

DIGITS_REGIONS = 12_853
SEGMENT_REGIONS = 80
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
needs_matplotlib = pytest.mark.skipif(
    not HAS_MATPLOTLIB, reason="the extra 'plot' is not installed"
)


@pytest.fixture(scope="module")
def made():
    return report(digits_network(), digits_place(), name="digits", pictures=True)


@pytest.fixture(scope="module")
def page(made):
    if not HAS_MATPLOTLIB:
        pytest.skip("the extra 'plot' is not installed")
    return report_html(made)


def dense(widths):
    rng = np.random.default_rng(0)
    return lr.load(
        [(rng.standard_normal((b, a)), rng.standard_normal(b)) for a, b in pairwise(widths)]
    )


# ---- numbers ----


def test_report_on_the_shipped_model_gathers_bounds_counts_and_samples(made):
    assert made.complete
    assert made.notes == []
    assert int(made.count) == len(made.regions) == DIGITS_REGIONS
    assert int(made.segment_count) == len(made.segment_regions) == SEGMENT_REGIONS
    assert made.bounds.lower.value <= DIGITS_REGIONS <= made.bounds.upper.value
    assert made.sample.distinct < DIGITS_REGIONS
    assert made.found_share == made.sample.distinct / DIGITS_REGIONS
    assert set(made.seconds) == {"bounds", "count", "segment", "sample", "regions"}


def test_numbers_are_those_of_the_public_functions(made):
    net, plane = digits_network(), digits_place().domain
    assert made.count == lr.count(net, plane)
    assert made.bounds == lr.bounds(net, plane)
    assert made.sample == lr.sample(net, plane, made.sample.samples, rng=0)


def test_report_on_the_shipped_model_is_printed_by_the_command():
    command = [sys.executable, "-m", "linear_regions", "report"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "12,853" in done.stdout


def test_without_pictures_matplotlib_is_not_imported():
    code = (
        "import sys; from linear_regions.cli import main; main(['report', '--samples', '100']);"
        "sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_data_of_a_report_is_json_with_numbers_as_strings(made):
    data = json.loads(json_text(made.to_dict()))
    assert data["count"]["value"] == str(DIGITS_REGIONS)
    assert data["segment"]["count"]["value"] == str(SEGMENT_REGIONS)
    assert data["model"]["units"] == made.network.n_units
    assert data["domain"]["kind"] == "slice"
    assert data["domain"]["dim"] == 2
    assert int(data["bounds_whole_space"]["bounds"][0]["value"]) >= 1
    assert data["complete"] is True


def test_small_domain_has_no_second_question_about_the_whole_space():
    made = report(dense([2, 8, 1]), Place(lr.Box(-1.0, 1.0).resolve((2,)), "a box"), samples=100)
    assert made.space_bounds is None
    assert made.segment is None
    assert [title for title, _ in rows(made)] == ["activation regions in the domain"]


def test_domain_without_a_counting_method_still_gets_bounds_and_samples():
    place = Place(lr.Ball(np.zeros(12), 1.0), "a ball")
    made = report(dense([12, 8, 1]), place, samples=500)
    assert made.count is None
    assert made.sample is not None
    assert made.bounds is not None
    assert len(made.notes) == 1
    assert made.notes[0].startswith("no count: ")
    assert made.found_share is None
    assert "exact count" not in report_text(made)


def test_whole_space_is_counted_and_sampled_from_normal_inputs():
    made = report(dense([2, 8, 1]), Place(None, "all"), samples=200)
    assert made.count == lr.count(dense([2, 8, 1]))
    assert made.sample.source == "normal"
    assert made.to_dict()["domain"] == {"description": "all", "kind": "space", "dim": None}


def test_limit_makes_a_lower_bound_that_says_so():
    made = report(digits_network(), digits_place(), limit=10, samples=0)
    assert (made.count.value, made.count.status) == (10, "limit")
    text = report_text(made)
    assert re.search(r"found so far +10 .*at least so many: stopped \(limit\)", text)
    assert "exact count" not in text
    assert made.sample is None


def test_interrupted_report_carries_what_was_done(monkeypatch):
    def stop(*_args, **_kwargs):
        raise lr.Interrupted(partial=lr.RegionCount(7, kind="lower", status="cancelled"))

    monkeypatch.setattr(lr, "count", stop)
    with pytest.raises(lr.Interrupted) as caught:
        report(digits_network(), digits_place())
    made = caught.value.partial
    assert not made.complete
    assert made.count.value == 7
    assert made.bounds is not None
    assert made.sample is None
    assert "interrupted" in report_text(made)


def test_lists_and_counts_that_differ_are_not_hidden(monkeypatch):
    monkeypatch.setattr(lr, "count", lambda *_args, **_kwargs: lr.RegionCount(3))
    with pytest.raises(lr.LinearRegionsError, match="please report"):
        report(digits_network(), digits_place(), pictures=True, samples=0)


def test_too_many_regions_for_a_picture_are_a_note(monkeypatch):
    monkeypatch.setattr(_report, "MAX_PICTURED", 100)
    made = report(digits_network(), digits_place(), pictures=True, samples=0)
    assert made.regions is None
    assert len(made.segment_regions) == SEGMENT_REGIONS
    assert "no picture" in made.notes[0]


def test_fewer_samples_are_taken_of_large_networks():
    large = lr.Network(1000, [lr.Affine(np.ones((1000, 1000))), lr.relu()])
    assert default_samples(large) == 3000
    assert default_samples(digits_network()) == 50_000


# ---- text ----


def test_text_has_aligned_columns_and_no_trailing_blanks(made):
    lines = report_text(made).splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) <= 100
    table = [line for line in lines if re.match(r"  \S", line) and "  " in line.strip()]
    ends = {re.match(r"  .+?  +([\d,.e+]+)(?=  |$)", line).end(1) for line in table}
    assert len(ends) == 1, "the numbers end in the same column"


def test_saturated_sample_is_called_so(made):
    few = lr.SampleCount(distinct=98, samples=100, singletons=96, coverage=0.04, saturated=True)
    other = report(made.network, made.place, samples=0)
    other.sample = few
    assert "measures the sample size" in report_text(other)
    assert "estimate from them" not in report_text(other)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (lr.RegionCount(5), "certified"),
        (lr.RegionCount(5, arithmetic="modular", error_probability=2.0**-61), "chance below 4e-19"),
        (
            lr.RegionCount(5, kind="estimate", arithmetic="float", error_probability=None),
            "nothing is proved",
        ),
        (lr.RegionCount(5, kind="upper"), "at most so many"),
        (lr.RegionCount(5, kind="lower", status="time_limit"), "stopped (time limit)"),
    ],
)
def test_remark_says_how_sure_a_count_is(count, words):
    assert words in count_remark(count)


def test_numbers_and_times_are_short():
    assert grouped(10**25) == "1.000e+25"
    assert [time_text(s) for s in (0.0, 0.00999, 0.9996, 99.96, 3600.0)] == [
        "0.01 ms",
        "10 ms",
        "1.00 s",
        "1 min 40 s",
        "60 min 0 s",
    ]


def test_data_that_json_lacks_becomes_null():
    assert safe({"a": float("inf"), "b": (np.float64(1.5), np.int64(2))}) == {
        "a": None,
        "b": [1.5, 2],
    }


# ---- page ----


class Reader(HTMLParser):
    """Collects tags, references and text, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "img", "br", "image", "path", "circle", "rect", "line", "polyline"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.references, self.text, self.images = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for key, value in attrs if key in ("src", "href", "xlink:href")]
        if tag in ("svg", "img"):
            self.images.append(dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_page_is_well_formed_and_refers_to_nothing_outside(page):
    reader = read(page)
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert len(reader.references) > 2
    assert all(reference.startswith("data:image/png;base64,") for reference in reader.references)
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_page_has_the_numbers_and_both_pictures(page):
    text = " ".join(read(page).text)
    assert "12,853" in text
    assert "class 8" in text  # between the three digits the network sees an eight
    assert "80 regions" in text
    assert page.count("<svg") == 3


def test_every_picture_of_the_page_is_described_in_words(page):
    images = read(page).images
    assert len(images) == 6
    for image in images:
        assert len(image.get("alt") or image.get("aria-label")) > 10
        assert "alt" in image or image["role"] == "img"


def test_page_follows_light_and_dark(page):
    assert "prefers-color-scheme: dark" in page
    assert page.count('class="light-only"') == page.count('class="dark-only"') == 2


def test_page_escapes_what_comes_from_files(made):
    if not HAS_MATPLOTLIB:
        pytest.skip("the extra 'plot' is not installed")
    evil = '<script>alert("x")</script>&'
    net = lr.Network(2, [lr.Affine(np.eye(2)), lr.relu()], notes=[evil])
    points = np.array([[0.0, 0.0], [0.5, 0.5]])
    place = Place(lr.Box(-1.0, 1.0).resolve((2,)), evil, points, (evil, "b"))
    page = report_html(report(net, place, name=evil, samples=10, pictures=True))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    read(page)


def test_page_is_the_same_each_time_but_for_times(made, page):
    def without_times(text):
        return re.sub(r"[\d.]+ (ms|s|min \d+ s)\b", "T", text)

    assert without_times(report_html(made)) == without_times(page)


@needs_matplotlib
def test_page_without_pictures_still_has_the_numbers():
    place = Place(lr.Ball(np.zeros(12), 1.0), "a ball")
    page = report_html(report(dense([12, 8, 1]), place, samples=500, pictures=True))
    reader = read(page)
    assert "svg" not in reader.tags
    assert "no count" in " ".join(reader.text)


@needs_matplotlib
def test_page_on_a_segment_has_bands():
    place = Place(lr.Segment([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]), "a segment")
    made = report(dense([3, 8, 2]), place, samples=100, pictures=True)
    page = report_html(made)
    assert page.count("<rect x=") >= 2 * len(made.regions)


def test_without_matplotlib_the_page_names_the_extra(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(lr.MissingExtra, match=r"linear-regions\[plot\]"):
        report_html(made)


def test_a_sample_that_overflows_leaves_a_note():
    huge = [([[1e200, 2.0], [3.0, -1e200]], [0.0, 0.0]), ([[1e200, 1e200]], [1.0])]
    place = Place(lr.Box(-1.0, 1.0).resolve((2,)), "a box")
    made = report(lr.load([*huge, ([[1.0]], [0.0])]), place, samples=100)
    assert int(made.count) > 0
    assert made.sample is None
    assert any("no sample: a value of the network is beyond" in note for note in made.notes)
