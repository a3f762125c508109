# SPDX-License-Identifier: MIT
"""Pictures: what is drawn is what was counted, and neighbours can be told apart."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._class_cells import boundary_segments, split_by_class
from linear_regions._colors import PALETTES, class_colors, region_colors, shades
from linear_regions._picture import clip_to_view, default_view, line_picture, picture

matplotlib = pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a picture must never be shown")

    monkeypatch.setattr(plt, "show", refuse)
    yield
    plt.close("all")


def dense(widths, seed=0):
    rng = np.random.default_rng(seed)
    pairs = [(rng.standard_normal((b, a)), rng.standard_normal(b)) for a, b in pairwise(widths)]
    return lr.load(pairs)


def pooled(seed=0):
    rng = np.random.default_rng(seed)
    layers = [
        lr.Conv(rng.standard_normal((3, 1, 3, 3)), rng.standard_normal(3)),
        lr.relu(),
        lr.MaxPool(2),
        lr.Flatten(),
        lr.Affine(rng.standard_normal((4, 12)), rng.standard_normal(4)),
    ]
    return lr.Network((1, 6, 6), layers), lr.Slice.through(rng.uniform(size=(3, 1, 6, 6)), 0.5)


def area(polygon):
    x, y = polygon.T
    return 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def polygons(ax):
    return [path.vertices[:-1] for path in ax.collections[0].get_paths()]


# ---- what is drawn ----


@pytest.mark.parametrize("color_by", ["region", "class"])
def test_polygons_fill_the_domain_and_nothing_else(color_by):
    ax = lr.plot(dense([2, 12, 12, 3]), lr.Box(-1, 2), color_by=color_by)
    drawn = polygons(ax)
    assert sum(area(polygon) for polygon in drawn) == pytest.approx(9.0)
    assert min(polygon.min() for polygon in drawn) >= -1
    assert max(polygon.max() for polygon in drawn) <= 2


def test_one_polygon_per_region_and_the_title_says_how_many():
    net = dense([2, 10, 8, 1])
    regions = lr.regions(net, lr.Box(-1, 1))
    ax = lr.plot(regions)
    assert len(polygons(ax)) == len(regions)
    assert ax.get_title() == f"{len(regions)} activation regions"


def test_a_network_and_its_regions_give_the_same_picture():
    net, plane = pooled()
    first, second = lr.plot(net, plane), lr.plot(lr.regions(net, plane))
    for a, b in zip(polygons(first), polygons(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_axes_that_are_given_come_back_and_no_figure_is_made():
    figure, ax = plt.subplots()
    assert lr.plot(dense([2, 4, 1]), lr.Box(0, 1), ax=ax) is ax
    assert plt.get_fignums() == [figure.number]


def test_partial_regions_say_so_in_the_title():
    regions = lr.regions(dense([2, 12, 12, 1]), lr.Box(-1, 1), limit=5)
    assert lr.plot(regions).get_title() == "the first 5 activation regions (limit)"


def test_unbounded_domain_is_drawn_in_a_view():
    ax = lr.plot(dense([2, 6, 1]))
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    total = sum(area(polygon) for polygon in polygons(ax))
    assert total == pytest.approx((right - left) * (top - bottom))
    assert ax.get_title().endswith("in view")


def test_view_cuts_the_picture_exactly():
    net = dense([2, 8, 8, 1])
    ax = lr.plot(net, lr.Box(-1, 1), view=((-0.5, 0.5), (0.0, 0.25)))
    assert len(polygons(ax)) == lr.count(net, lr.Box([-0.5, 0.0], [0.5, 0.25])).value
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 0.5), (0.0, 0.25))


@pytest.mark.parametrize(
    "domain",
    [
        lr.Space(2),
        lr.Box(-1.0, 1.0),
        lr.Polytope([[1.0, 1.0]], [0.5]),
        lr.Slice([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]]),
        lr.Slice([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], lr.Box(-1.0, 1.0)),
        lr.Slice([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], lr.Polytope([[1.0, 1.0]], [0.5])),
    ],
    ids=repr,
)
def test_every_planar_domain_can_be_cut_to_a_view(domain):
    net = dense([2, 6, 6, 1])
    cut = clip_to_view(domain, (2,), ((-0.25, 0.25), (-0.5, 0.1)))
    assert lr.count(net, cut).value == lr.count(net, lr.Box([-0.25, -0.5], [0.25, 0.1])).value


def test_view_of_a_segment_and_wrong_views():
    net = dense([3, 8, 1])
    segment = lr.Segment([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    cut = clip_to_view(segment, (3,), ((0.0, 0.5),))
    half = lr.Segment([0.0, 0.0, 0.0], [0.5, 0.5, 0.5])
    assert lr.count(net, cut).value == lr.count(net, half).value
    with pytest.raises(lr.InvalidInput, match="view must be one"):
        lr.plot(net, segment, view=((0.0, 1.0), (0.0, 1.0)))


def test_default_view_without_corners_and_with_equal_ones():
    directions = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    assert default_view(directions) == ((-1.0, 1.0), (-1.0, 1.0))
    assert default_view(np.array([[3.0, 1.0], [3.0, 1.0]])) == ((2.0, 4.0),)


def test_segment_is_drawn_as_bands_under_its_outputs():
    net = dense([3, 12, 2])
    segment = lr.Segment([0.0, 0.0, 0.0], [1.0, 1.0, -1.0])
    ax = lr.plot(net, segment, points=[[0.25]])
    bands, curves = ax.collections[0], ax.collections[1]
    assert len(bands.get_paths()) == lr.count(net, segment).value
    assert ax.get_xlim() == (0.0, 1.0)
    for output, curve in enumerate(curves.get_segments()):
        np.testing.assert_allclose(net(segment.embed(curve[:, :1]))[:, output], curve[:, 1])


# ---- colours ----


def hamming(patterns):
    bits = np.unpackbits(patterns.view(np.uint8), axis=1)
    return (bits[:, None] != bits[None]).sum(axis=2)


def circular(shade):
    apart = abs(shade[:, None] - shade[None])
    return np.minimum(apart, 1.0 - apart)


def test_regions_that_differ_in_one_unit_differ_by_a_third_of_the_shades():
    regions = lr.regions(dense([2, 16, 16, 1]), lr.Box(-2, 2))
    neighbours = hamming(regions.patterns) == 1
    assert neighbours.any()
    assert circular(shades(regions))[neighbours].min() > 1 / 3


def test_winners_of_a_window_have_shades_of_their_own():
    net = lr.Network((1, 2, 2), [lr.MaxPool(2)])
    plane = lr.Slice([0.0, 0.1, 0.0, 0.1], [[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    regions = lr.regions(net, plane)
    assert len(regions) == 4
    assert sorted(shades(regions)) == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_colours_and_shades_are_seen(theme):
    shade = np.linspace(0.0, 1.0, 65)[:-1]
    for colors in (
        region_colors(shade, PALETTES[theme]),
        class_colors(shade, np.zeros(64, dtype=np.int64), PALETTES[theme]),
    ):
        assert colors.shape == (64, 3)
        assert colors.min() >= 0.0
        assert colors.max() <= 1.0
        brightness = colors @ [0.3, 0.6, 0.1]
        # A third of the shades further on is visibly lighter, all round the circle of shades.
        assert abs(brightness - np.roll(brightness, 22)).min() > 0.03


def test_dark_pictures_are_darker_than_light_ones():
    shade = np.linspace(0.0, 0.99, 50)
    means = [region_colors(shade, PALETTES[theme]).mean() for theme in ("dark", "light")]
    assert means[0] < 0.45 < 0.7 < means[1]


def test_many_classes_have_colours_of_their_own():
    classes = np.arange(12)
    colors = class_colors(np.full(12, 0.5), classes, PALETTES["light"])
    apart = abs(colors[:, None] - colors[None]).max(axis=2)
    assert apart[~np.eye(12, dtype=bool)].min() > 0.005
    assert apart[:10, :10][~np.eye(10, dtype=bool)].min() > 0.02


@pytest.mark.parametrize(("background", "theme"), [("white", "light"), ("#101010", "dark")])
def test_theme_follows_the_background(background, theme):
    _, ax = plt.subplots()
    ax.set_facecolor(background)
    regions = lr.regions(dense([2, 6, 1]), lr.Box(-1, 1))
    lr.plot(regions, ax=ax)
    expected = region_colors(shades(regions), PALETTES[theme])
    np.testing.assert_allclose(ax.collections[0].get_facecolor()[:, :3], expected)


def test_given_numbers_go_to_the_colour_map():
    regions = lr.regions(dense([2, 8, 1]), lr.Box(-1, 1))
    ax = lr.plot(regions, color_by=regions.volumes)
    np.testing.assert_array_equal(ax.collections[0].get_array(), regions.volumes)
    line = lr.regions(dense([1, 8, 1]), lr.Box(-1, 1))
    numbers = np.arange(len(line), dtype=float)
    ax = lr.plot(line, color_by=numbers)
    # Bands run from left to right, whatever the order of the search.
    order = np.argsort(line.interior_points[:, 0])
    np.testing.assert_array_equal(ax.collections[0].get_array(), numbers[order])


# ---- classes ----


def test_decision_boundary_is_where_two_outputs_tie_for_the_lead():
    net, plane = pooled(3)
    ax = lr.plot(net, plane, decision_boundary=True)
    segments = np.array(ax.collections[1].get_segments())
    assert len(segments) > 3
    for share in (0.0, 0.3, 1.0):
        t = (1 - share) * segments[:, 0] + share * segments[:, 1]
        outputs = np.sort(net(plane.embed(t)), axis=1)
        np.testing.assert_allclose(outputs[:, -1], outputs[:, -2], atol=1e-9)


def test_decision_boundary_of_a_single_output_is_its_zero():
    net = dense([2, 10, 10, 1])
    middle = float(net(np.zeros((1, 2)))[0, 0])
    last = net.layers[-1]
    net = lr.Network(2, [*net.layers[:-1], lr.Affine(last.weight, last.bias - middle)])
    ax = lr.plot(net, lr.Box(-2, 2), decision_boundary=True)
    ends = np.array(ax.collections[1].get_segments()).reshape(-1, 2)
    np.testing.assert_allclose(net(ends), 0.0, atol=1e-9)


def test_a_network_of_one_class_has_no_boundary():
    net = lr.Network(2, [lr.Affine(np.eye(2)), lr.relu(), lr.Affine([[1.0, 1.0]], [1.0])])
    assert picture(lr.regions(net, lr.Box(-1, 1)), decision_boundary=True).segments == []


def test_class_colours_are_the_class_at_every_point(rng):
    net, plane = pooled(3)
    content = picture(lr.regions(net, plane), "class")
    assert len(content.polygons) > len(lr.regions(net, plane))
    for polygon, label in zip(content.polygons, content.classes, strict=True):
        weights = rng.dirichlet(np.ones(len(polygon)))
        outputs = net(plane.embed(weights @ polygon)[None])[0]
        assert outputs[label] >= outputs.max() - 1e-9


def test_legend_names_the_classes_that_occur():
    net, plane = pooled(3)
    content = picture(lr.regions(net, plane), "class")
    shown = [label for label, _ in content.legend(PALETTES["light"])]
    ax = lr.plot(net, plane, color_by="class")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [str(x) for x in shown]
    assert shown == sorted(set(content.classes.tolist()))


def test_a_class_that_wins_at_no_corner_is_found():
    # Scores x, -x and 0.1 on [-1, 1]: the constant leads in the middle, and only there.
    square = np.array([[-1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [-1.0, 1.0]])
    x = square[:, :1]
    rows = np.hstack([square, x, -x, 0 * x + 0.1])
    cells = dict(split_by_class(rows))
    assert [area(cells[label]) for label in (0, 1, 2)] == pytest.approx([0.9, 0.9, 0.2])
    ends = sorted(segment[0, 0] for segment in boundary_segments(rows))
    assert ends == pytest.approx([-0.1, 0.1])


def test_classes_on_a_line():
    net = lr.Network(1, [lr.Affine([[1.0], [-1.0]]), lr.relu()])
    content = line_picture(lr.regions(net, lr.Box(-1, 1)), "class")
    np.testing.assert_allclose(content.ends, [[-1.0, 0.0], [0.0, 1.0]])
    assert not np.allclose(content.colors[0], content.colors[1])


# ---- points ----


def test_inputs_are_marked_where_they_lie_on_the_plane():
    net, plane = pooled()
    inputs = plane.embed([[0.0, 0.0], [1.0, 0.0], [0.25, 0.5]]).reshape(3, 1, 6, 6)
    ax = lr.plot(net, plane, points=inputs, labels=["a", "b", "c"])
    np.testing.assert_allclose(
        ax.collections[-1].get_offsets(), [[0, 0], [1, 0], [0.25, 0.5]], atol=1e-9
    )
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]


def test_inputs_are_marked_on_a_segment():
    net = dense([3, 6, 2])
    segment = lr.Segment([0.0, 0.0, 0.0], [2.0, 0.0, 2.0])
    ax = lr.plot(net, segment, points=[[0.5, 9.0, 0.5]])
    assert ax.collections[-1].get_offsets()[0, 0] == pytest.approx(0.25)


# ---- refusals ----


def test_wrong_arguments_are_named():
    net, box = dense([2, 4, 2]), lr.Box(-1, 1)
    regions = lr.regions(net, box)
    with pytest.raises(lr.InvalidInput, match="color_by must be"):
        lr.plot(regions, color_by="area")
    with pytest.raises(lr.InvalidInput, match="one number per region"):
        lr.plot(regions, color_by=[1.0, 2.0])
    with pytest.raises(lr.InvalidInput, match="their own domain"):
        lr.plot(regions, box)
    with pytest.raises(lr.InvalidInput, match="labels must be 1"):
        lr.plot(regions, points=[[0.0, 0.0]], labels=["a", "b"])
    with pytest.raises(lr.InvalidInput, match=r"points must have shape \(k, 2\)"):
        lr.plot(regions, points=[[0.0, 0.0, 0.0]])
    with pytest.raises(TypeError, match="expected Regions or a Network"):
        lr.plot("net")


def test_dimensions_that_cannot_be_drawn_are_refused():
    with pytest.raises(lr.Unsupported):
        lr.plot(dense([3, 4, 1]), lr.Box(-1, 1))
    with pytest.raises(lr.Unsupported, match="dimension 1 and 2, got 0"):
        lr.plot(dense([2, 4, 1]), lr.Box([0.0, 0.0], [0.0, 0.0]))


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(lr.MissingExtra, match=r"linear-regions\[plot\]"):
        lr.plot(dense([2, 4, 1]), lr.Box(-1, 1))
