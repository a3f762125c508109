# SPDX-License-Identifier: MIT
"""Parts of a search add up to the whole, whatever the division, and keep its order."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
import strategies
from linear_regions._digest import digest
from linear_regions._divisible import Outcome
from linear_regions._items import Items
from linear_regions._parts import Block, Part, Search
from linear_regions._region_chunks import sorted_blocks

RNG = np.random.default_rng(0)
NETS = {
    "plane": (strategies.mlp_of([2, 20, 20, 1], RNG), lr.Space()),
    "box": (strategies.mlp_of([3, 10, 10, 1], RNG), lr.Box(-1, 1)),
    "space": (strategies.mlp_of([3, 6, 6, 6, 1], RNG), lr.Space()),
    "point": (strategies.mlp_of([2, 5, 1], RNG), lr.Box([1.0, 2.0], [1.0, 2.0])),
    "pools": (
        lr.Network(
            (1, 5, 5),
            [
                lr.Conv(RNG.normal(size=(2, 1, 2, 2)), RNG.normal(size=2)),
                lr.relu(),
                lr.MaxPool(2),
                lr.Flatten(),
                lr.Affine(RNG.normal(size=(5, 8)), RNG.normal(size=5)),
                lr.hard_tanh(),
            ],
        ),
        lr.Slice(np.zeros((1, 5, 5)), RNG.normal(size=(2, 1, 5, 5)), lr.Box([-1, -1], [1, 1])),
    ),
    "ties": (
        lr.Network(
            2,
            [
                lr.Affine([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
                lr.relu(),
                lr.Affine([[1.0, -1.0, 1.0, 0.0], [1.0, -1.0, 0.0, 1.0], [1.0, 1.0, -1.0, 0.0]]),
                lr.relu(),
            ],
        ),
        lr.Space(),
    ),
}
CASES = [
    (name, method, lists)
    for name in NETS
    for method in ("polygons", "cones", "tree")
    for lists in (False, True)
    if method != "polygons" or name not in ("box", "space")
]


def make(case: tuple[str, str, bool], **options: Any) -> Search:
    name, method, lists = case
    net, domain = NETS[name]
    return Search(net, domain, method, True, lists, **options)


def patterns(blocks: list[Block]) -> list[bytes]:
    return [row.tobytes() for _, listed in sorted_blocks(blocks) for row in listed["patterns"]]


def finish(search: Search, part: Part, **options: Any) -> tuple[int, list[Block], int]:
    """Run a part to its end, however often it pauses."""
    found, blocks, runs = 0, [], 0
    while len(part):
        outcome: Outcome = search.run(part, **options)
        found += outcome.regions
        blocks += outcome.blocks
        runs += 1
        assert (outcome.status == "complete") == (len(outcome.rest) == 0)
        assert outcome.rest.weight <= part.weight + 1e-12
        part = outcome.rest
    return found, blocks, runs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_cut_gives_the_regions_of_the_whole_in_its_order(case: tuple[str, str, bool]) -> None:
    search = make(case)
    whole, blocks, _ = finish(search, Part.whole())
    order = patterns(blocks)
    assert whole == lr.count(*NETS[case[0]], method=case[1]).value
    assert len(order) == (whole if case[2] else 0)
    assert len(set(order)) == len(order)
    for share in (0.3, 0.01):
        cut = search.cut(Part.whole(), share).rest
        assert cut.weight == pytest.approx(1.0)
        assert finish(search, cut)[0] == whole
        # One after the other, and in pieces, in any sequence.
        for pieces in ([cut.take(i, i + 1) for i in range(len(cut))], cut.pieces(3)):
            assert sum(len(piece) for piece in pieces) == len(cut)
            done = [finish(search, piece) for piece in reversed(pieces)]
            assert sum(found for found, _, _ in done) == whole
            assert patterns([block for _, blocks, _ in done for block in blocks]) == order


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_pauses_and_limits_lose_nothing(case: tuple[str, str, bool], threads: int) -> None:
    search = make(case)
    whole, blocks, _ = finish(search, Part.whole())
    for options in ({"pause_after": 0.0}, {"pause_at": 3}, {"time_limit": 0.002}):
        found, again, _ = finish(search, Part.whole(), threads=threads, **options)
        assert found == whole
        assert patterns(again) == patterns(blocks)


def test_a_limit_lists_exactly_the_first_regions_and_leaves_the_others() -> None:
    search = make(("plane", "polygons", True))
    _, blocks, _ = finish(search, Part.whole())
    order = patterns(blocks)
    first = search.run(Part.whole(), limit=17)
    assert (first.regions, first.status) == (17, "limit")
    assert patterns(first.blocks) == order[:17]
    assert patterns(finish(search, first.rest)[1]) == order[17:]


def test_masks_that_become_too_narrow_change_nothing() -> None:
    # A ball-like polytope of 90 sides: its one cell has more facets than a word has bits.
    rng = np.random.default_rng(1)
    normals = rng.normal(size=(90, 3))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    net = strategies.mlp_of([3, 9, 9, 1], rng)
    search = Search(net, lr.Polytope(normals, np.ones(90)), "cones", True)
    outcome = search.run(Part.whole())
    assert outcome.wide
    assert outcome.regions == int(lr.count(net, search.domain))
    cut = search.cut(Part.whole(), 0.02).rest
    assert finish(search, cut)[0] == outcome.regions
    assert finish(search, cut, wide=True, pause_after=0.0)[0] == outcome.regions


def test_a_part_that_leads_elsewhere_is_refused() -> None:
    for method in ("polygons", "cones", "tree"):
        search = make(("plane", method, False))
        cut = search.cut(Part.whole(), 0.05).rest
        renamed = replace(cut, names=cut.names ^ np.uint64(1))
        with pytest.raises(lr.InvalidInput, match="another version or build"):
            search.run(renamed)
        nowhere = replace(cut, children=cut.children + np.uint32(7))
        with pytest.raises(lr.InvalidInput, match="another version or build"):
            search.run(nowhere)
        unordered = Part.join([cut.take(1, 2), cut.take(0, 1)])
        with pytest.raises(ValueError, match="in order"):
            search.run(unordered)
        assert search.run(unordered.ordered()).status == "complete"
        with pytest.raises(ValueError, match="longer than"):
            search.run(replace(cut, children=cut.children[:-1]))


def test_random_ways_estimate_the_whole_tree() -> None:
    for method in ("polygons", "cones", "tree"):
        search = make(("plane", method, False))
        whole = search.run(Part.whole()).regions
        ways = search.probe(1, 4000, None)
        spread = ways["regions"].std() / np.sqrt(len(ways["regions"]))
        assert abs(ways["regions"].mean() - whole) < 5 * spread
        again = search.probe(1, 4000, None)
        assert np.array_equal(ways["regions"], again["regions"])


def test_searches_pickle_and_are_named_by_what_is_searched() -> None:
    search = make(("plane", "polygons", False))
    search.run(Part.whole())
    again = pickle.loads(pickle.dumps(search))
    assert again.run(Part.whole()).regions == search.run(Part.whole()).regions
    net, domain = NETS["plane"]
    renamed = lr.Network(net.input_shape, net.layers, ["a note"])
    assert digest(net) == digest(renamed)
    assert digest(net) != digest(NETS["ties"][0])
    assert digest(domain) != digest(lr.Box(-1, 1))
    assert digest(lr.Box(0.0, 1.0)) == digest(lr.Box(-0.0, 1.0))


def test_what_has_no_parts_says_so() -> None:
    net, domain = NETS["plane"]
    with pytest.raises(lr.Unsupported, match="merges equal flats"):
        Search(net, domain, "arrangement", True)
    with pytest.raises(lr.Unsupported, match="no lasting names"):
        Search(net, domain, "tree", False)


@pytest.mark.parametrize("pieces", [2, 3, 7, 10, 49])
def test_items_that_were_divided_and_put_together_can_be_read_back(pieces: int) -> None:
    """Sums of shares are rounded: a file with more than the whole is refused as damaged."""
    for n in range(1, 200):
        items = Items([(0, n)], [1.0], {})
        divided = [part for piece in items.pieces(pieces) for part in piece.pieces(3)]
        for halves in (divided, [half for part in divided for half in part.below(n // 2)]):
            whole = Items.join(halves).ordered()
            assert whole.ranges == [(0, n)]
            read = Items.of_arrays(whole.arrays, n)
            assert (read.ranges, read.shares) == (whole.ranges, whole.shares)
