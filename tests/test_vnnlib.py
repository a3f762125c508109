# SPDX-License-Identifier: MIT
"""Input boxes of VNN-LIB 1.0 files."""

from __future__ import annotations

import contextlib
import gzip
import math

import numpy as np
import pytest

from linear_regions.domain import Box
from linear_regions.errors import CorruptFile, DegenerateInput, Unsupported
from linear_regions.vnnlib import read_vnnlib

HEAD = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n"


@pytest.fixture
def read(tmp_path):
    def reader(text, head=HEAD):
        path = tmp_path / "property.vnnlib"
        path.write_text(head + text, encoding="utf-8")
        return read_vnnlib(path)

    return reader


def sides(boxes):
    return [(box.low.tolist(), box.high.tolist()) for box in boxes]


INF = math.inf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [([-INF, -INF], [INF, INF])]),
        ("(assert (<= X_0 1.5))", [([-INF, -INF], [1.5, INF])]),
        ("(assert (>= X_1 -2e-1))", [([-INF, -0.2], [INF, INF])]),
        ("(assert (<= -1 X_0))(assert (>= 3 X_0))", [([-1.0, -INF], [3.0, INF])]),
        ("(assert (< X_0 1))(assert (> X_0 0))", [([0.0, -INF], [1.0, INF])]),
        ("(assert (= X_0 .25))", [([0.25, -INF], [0.25, INF])]),
        ("(assert (= 7 X_0))", [([7.0, -INF], [7.0, INF])]),
        ("(assert (>= X_0 (- 1.0)))", [([-1.0, -INF], [INF, INF])]),
        ("(assert (>= X_0 1))(assert (>= X_0 0))", [([1.0, -INF], [INF, INF])]),
        ("(assert (and (>= X_0 0) (and (<= X_0 1) (<= X_1 2))))", [([0.0, -INF], [1.0, 2.0])]),
        (
            "(assert (or (<= X_0 0) (and (>= X_0 1) (<= X_1 5))))",
            [([-INF, -INF], [0.0, INF]), ([1.0, -INF], [INF, 5.0])],
        ),
        (
            "(assert (or (<= X_0 0) (>= X_0 1)))(assert (or (<= X_1 0) (>= X_1 1)))",
            [
                ([-INF, -INF], [0.0, 0.0]),
                ([-INF, 1.0], [0.0, INF]),
                ([1.0, -INF], [INF, 0.0]),
                ([1.0, 1.0], [INF, INF]),
            ],
        ),
    ],
)
def test_bounds_become_boxes(text, expected, read):
    assert sides(read(text)) == expected


def test_decimals_are_the_nearest_float64(read):
    (box,) = read("(assert (<= X_0 0.1))(assert (>= X_0 -3.141592653589793238462643))")
    assert box.high[0] == 0.1
    assert box.low[0] == -math.pi


@pytest.mark.parametrize(
    "text",
    [
        "(assert (<= Y_0 1))",
        "(assert (or (<= Y_0 1) (and (>= Y_0 2) (>= Y_0 X_1))))",
        "(assert (<= (+ (* 2.0 Y_0) (* -1.0 X_0)) 0.0))",
        "(assert (and (<= Y_0 1)))",
    ],
)
def test_statements_about_outputs_leave_the_box_as_it_is(text, read):
    bounds = "(assert (<= X_0 1))(assert (>= X_0 0))"
    assert sides(read(bounds + text)) == sides(read(bounds))
    assert sides(read(text + bounds)) == sides(read(bounds))


def test_alternatives_that_differ_in_outputs_only_are_one_box(read):
    inputs = "(>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1)"
    text = f"(assert (or (and {inputs} (<= Y_0 0)) (and {inputs} (>= Y_0 5))))"
    assert sides(read(text)) == [([0.0, 0.0], [1.0, 1.0])]


def test_empty_alternatives_are_left_out(read):
    text = "(assert (or (<= X_0 0) (>= X_0 2)))(assert (<= X_0 1))"
    assert sides(read(text)) == [([-INF, -INF], [0.0, INF])]
    with pytest.raises(DegenerateInput, match="contradict each other"):
        read("(assert (<= X_0 0))(assert (>= X_0 1))")


def test_layout_comments_and_other_commands_do_not_matter(read):
    text = """; a comment with (parentheses
    (set-logic QF_LRA) (set-info :source "two ) words ; here")
    (declare-fun X_2 () Real)
    (assert
      (<= X_2
          4)) ; trailing ) comment
    (check-sat)(exit)\r\n"""
    assert sides(read(text)) == [([-INF] * 3, [INF, INF, 4.0])]


def test_inputs_may_be_declared_in_any_order(read):
    head = "(declare-const X_1 Real)(declare-const X_0 Real)"
    assert sides(read("(assert (<= X_1 1))", head)) == [([-INF, -INF], [INF, 1.0])]


def test_compressed_file_is_read_and_damage_is_found(tmp_path):
    data = gzip.compress((HEAD + "(assert (<= X_0 1))").encode())
    path = tmp_path / "property.vnnlib.gz"
    path.write_bytes(data)
    assert sides(read_vnnlib(str(path))) == [([-INF, -INF], [1.0, INF])]
    for end in range(2, len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(CorruptFile, match=r"property\.vnnlib\.gz"):
            read_vnnlib(path)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("(assert (<= X_0 1)", 4, "never closed"),
        ("\n(assert (<= X_0 1)))", 5, "too many"),
        ("assert", 4, r"expected '\('"),
        ("\n\n(frobnicate X_0)", 6, "unknown command 'frobnicate'"),
        ("()", 4, r"unknown command '\(\)'"),
        ("(assert)", 4, "expected .assert formula"),
        ("(assert X_0)", 4, "expected a formula, got 'X_0'"),
        ("(assert (<= X_0))", 4, "two sides"),
        ("(assert (!= X_0 1))", 4, "expected <=.*got '!='"),
        ("(assert (or))", 4, "at least one alternative"),
        ("(assert (<= X_0 one))", 4, "expected a variable X_i or Y_i, got 'one'"),
        ("(assert (<= X_0 1.2.3))", 4, "expected a number, got '1.2.3'"),
        ("(assert (<= X_0 1e999))", 4, "too large"),
        ("(assert (<= X_0 1_000))", 4, "expected a number"),
        ("(assert (and (<= X_0 1)\n(<= X_7 1)))", 5, "X_7 is not declared"),
        ("(declare-const X_0 Real)", 4, "declared twice"),
        ("(declare-const X_2 Int)", 4, "expected .declare-const X_0 Real"),
        ("(declare-const Z Real)", 4, "expected a variable X_i or Y_i, got 'Z'"),
        ("(assert " + "(and " * 500 + "(<= X_0 1)" + ")" * 501, 4, "nested too deeply"),
    ],
)
def test_bad_text_names_the_line(text, line, reason, read):
    with pytest.raises(CorruptFile, match=rf"property\.vnnlib, line {line}: .*{reason}"):
        read(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(assert (<= X_0 X_1))", "line 4: expected a bound of one input"),
        ("(assert (<= (+ X_0 X_1) 1))", "line 4: expected a bound of one input"),
        ("(assert (<= 1 2))", "line 4: expected a bound of one input"),
        ("(assert (<= (* 2 X_0) 1))", "line 4: expected a bound of one input"),
        ("(assert (<= X_0 (/ 1 3)))", "line 4: arithmetic"),
        ("(vnnlib-version <2.0>)", "line 4: this is VNN-LIB 2"),
        ("(assert (or (<= X_0 0) (>= X_0 1)))" * 20, "multiplied out"),
    ],
)
def test_what_is_no_box_is_unsupported(text, reason, read):
    with pytest.raises(Unsupported, match=reason):
        read(text)


def test_undeclared_inputs_are_corrupt(read):
    with pytest.raises(CorruptFile, match="no input X_0"):
        read("", "")
    with pytest.raises(CorruptFile, match="input X_1 is not declared"):
        read("", "(declare-const X_0 Real)(declare-const X_2 Real)")


def test_binary_file_is_corrupt_and_missing_file_is_not_found(tmp_path):
    (tmp_path / "binary.vnnlib").write_bytes(b"\xff\xfe\x00(assert")
    with pytest.raises(CorruptFile, match="not a text file"):
        read_vnnlib(tmp_path / "binary.vnnlib")
    with pytest.raises(FileNotFoundError):
        read_vnnlib(tmp_path / "none.vnnlib")


def test_damaged_text_never_ends_in_another_kind_of_error(tmp_path):
    text = (
        HEAD + "(assert (or (and (>= X_0 -1.5e0) (<= X_0 1)) (<= X_1 2)))\n(assert (<= Y_0 X_1))\n"
    )
    rng = np.random.default_rng(2)
    path = tmp_path / "damaged.vnnlib"
    alphabet = list('()<>=-.eXY_019 \n;|"a')
    for end in range(len(text)):
        path.write_text(text[:end])
        with contextlib.suppress(CorruptFile, Unsupported, DegenerateInput):
            assert all(isinstance(box, Box) for box in read_vnnlib(path))
    for _ in range(500):
        letters = list(text)
        for place in rng.integers(0, len(letters), size=rng.integers(1, 4)):
            letters[place] = alphabet[rng.integers(len(alphabet))]
        path.write_text("".join(letters))
        with contextlib.suppress(CorruptFile, Unsupported, DegenerateInput):
            read_vnnlib(path)


def test_many_bounds_take_linear_time(read):
    n = 20_000
    head = "".join(f"(declare-const X_{i} Real)\n" for i in range(n))
    text = "".join(f"(assert (>= X_{i} {-i}))\n(assert (<= X_{i} {i}.5))\n" for i in range(n))
    (box,) = read(text, head)
    np.testing.assert_array_equal(box.high, np.arange(n) + 0.5)


def test_every_published_file_is_read(data_folder):
    import json

    truth = json.loads((data_folder / "truth.json").read_text())
    files = {case["domain"]["file"]: case["domain"] for case in truth["cases"]}
    boxes = {name: what for name, what in files.items() if name.endswith(".vnnlib")}
    assert boxes
    for name, what in boxes.items():
        (box,) = read_vnnlib(data_folder / name)
        assert box.ambient_dim == what["inputs"], name
        assert box.dim == what["free_inputs"], name
