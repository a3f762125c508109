# SPDX-License-Identifier: MIT
"""Input boxes from VNN-LIB 1.0 files, the property files of the verification competitions.

Such a file declares inputs X_0, X_1, ... and outputs Y_0, ... and asserts bounds. Only the inputs
matter here: an assertion about outputs is the property to verify, and leaves the box as it is. With
``or``, a file holds several boxes.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, isinf
from typing import TypeAlias

import numpy as np

from .domain import Box
from .errors import CorruptFile, DegenerateInput, Unsupported

__all__ = ["read_vnnlib"]

# One conjunction of bounds: input -> (low, high). Inputs that are missing are unbounded.
Bounds: TypeAlias = dict[int, tuple[float, float]]

# Products of several "or" are multiplied out; beyond this many boxes the file is refused.
_MAX_BOXES = 100_000
# So many bounds, of all boxes together, are put together or held; a short text can mean far more.
_MAX_BOUNDS = 1 << 25
# Deeper nesting does not occur in sound files, and would exhaust the stack.
_MAX_DEPTH = 200

_TOKEN = re.compile(r'"[^"]*"|\|[^|]*\||[()]|;.*|[^\s();"|]+|["|]')
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_VARIABLE = re.compile(r"([XY])_(\d{1,9})")
_SILENT = ("set-logic", "set-info", "set-option", "check-sat", "get-model", "exit")


@dataclass
class _Form:
    """A parenthesised expression, with the line on which it begins."""

    line: int
    items: list[_Form | _Word] = field(default_factory=list)

    @property
    def head(self) -> str:
        first = self.items[0] if self.items else None
        return first.text if isinstance(first, _Word) else ""


@dataclass
class _Word:
    line: int
    text: str


def read_vnnlib(path: str | os.PathLike[str]) -> list[Box]:
    """Read the input boxes of a VNN-LIB 1.0 file.

    Parameters
    ----------
    path : str or path
        A text file, or one compressed by gzip.

    Returns
    -------
    list of Box
        One per alternative of ``or``, in the order of the file, without repeats; each of shape
        (n,), where X_i is the network's input i in row-major order. A missing bound is infinite.
        Decimal numbers are read as the nearest float64.

    Raises
    ------
    CorruptFile
        If the text is no VNN-LIB 1.0; the message names the line.
    Unsupported
        If the inputs are bounded by something else than boxes, or the language is version 2.
    DegenerateInput
        If the bounds leave no box.
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    An assertion in which an output Y_i occurs is ignored, alone or within ``and`` and ``or``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = '''
    ... (declare-const X_0 Real)
    ... (declare-const X_1 Real)
    ... (declare-const Y_0 Real)
    ... (assert (and (>= X_0 -1) (<= X_0 1)))
    ... (assert (or (and (<= X_1 0.5) (>= X_1 0)) (<= X_1 -2)))
    ... (assert (>= Y_0 100))
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "property.vnnlib")
    ...     _ = file.write_text(text)
    ...     for box in read_vnnlib(file):
    ...         print(box.low.tolist(), box.high.tolist())
    [-1.0, 0.0] [1.0, 0.5]
    [-1.0, -inf] [1.0, -2.0]
    """
    name = os.fspath(path)
    return _Reader(name).boxes(_text(name))


def _text(path: str) -> str:
    with open(path, "rb") as file:
        data = file.read()
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8")
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptFile(f"{path}: damaged gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path}: not a text file, as VNN-LIB files are: {error}") from error


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.declared: dict[str, set[int]] = {"X": set(), "Y": set()}
        self._bounds_left = _MAX_BOUNDS

    def corrupt(self, line: int, reason: str) -> CorruptFile:
        return CorruptFile(f"{self.path}, line {line}: {reason}")

    def boxes(self, text: str) -> list[Box]:
        alternatives: list[Bounds] = [{}]
        for form in self._forms(text):
            head = form.head
            if head in ("declare-const", "declare-fun"):
                self._declare(form)
            elif head == "assert":
                if len(form.items) != 2:
                    raise self.corrupt(form.line, "expected (assert formula)")
                found = self._alternatives(form.items[1])
                alternatives = self._both(alternatives, found, form.line)
            elif head in ("vnnlib-version", "declare-network"):
                raise Unsupported(
                    f"{self.path}, line {form.line}: this is VNN-LIB 2; only version 1.0 is read"
                )
            elif head not in _SILENT:
                raise self.corrupt(form.line, f"unknown command {head or '()'!r}")
        return self._arrays(alternatives)

    def _forms(self, text: str) -> Iterator[_Form]:
        """Yield the expressions of the outermost level."""
        stack: list[_Form] = []
        for number, line in enumerate(text.split("\n"), 1):
            for token in _TOKEN.findall(line):
                if token == "(":
                    if len(stack) > _MAX_DEPTH:
                        raise self.corrupt(number, "parentheses are nested too deeply")
                    stack.append(_Form(number))
                elif token == ")":
                    if not stack:
                        raise self.corrupt(number, "a closing parenthesis too many")
                    form = stack.pop()
                    if stack:
                        stack[-1].items.append(form)
                    else:
                        yield form
                elif token[0] != ";":
                    if not stack:
                        raise self.corrupt(number, f"expected '(', got {token[:40]!r}")
                    stack[-1].items.append(_Word(number, token))
        if stack:
            raise self.corrupt(stack[-1].line, "this parenthesis is never closed")

    def _declare(self, form: _Form) -> None:
        words = [item.text if isinstance(item, _Word) else "()" for item in form.items]
        is_function = words[0] == "declare-fun"
        if len(words) != 3 + is_function or words[-1] != "Real":
            raise self.corrupt(form.line, "expected (declare-const X_0 Real)")
        kind, index = self._variable(form.line, words[1])
        if index in self.declared[kind]:
            raise self.corrupt(form.line, f"{words[1]} is declared twice")
        self.declared[kind].add(index)

    def _variable(self, line: int, text: str) -> tuple[str, int]:
        match = _VARIABLE.fullmatch(text)
        if match is None:
            raise self.corrupt(line, f"expected a variable X_i or Y_i, got {text[:40]!r}")
        return match[1], int(match[2])

    def _alternatives(self, item: _Form | _Word) -> list[Bounds]:
        """Return the boxes that a formula means; a formula about outputs means no bound."""
        if isinstance(item, _Word):
            raise self.corrupt(item.line, f"expected a formula, got {item.text[:40]!r}")
        if item.head == "and":
            result: list[Bounds] = [{}]
            for part in item.items[1:]:
                found = self._alternatives(part)
                result = self._both(result, found, item.line)
            return result
        if item.head == "or":
            if len(item.items) < 2:
                raise self.corrupt(item.line, "expected at least one alternative after 'or'")
            every = (b for part in item.items[1:] for b in self._alternatives(part))
            return list({tuple(sorted(bounds.items())): bounds for bounds in every}.values())
        return [self._bound(item)]

    def _both(self, a: list[Bounds], b: list[Bounds], line: int) -> list[Bounds]:
        """Return the intersections of all pairs."""
        if len(a) > 1:
            self._bounds_left -= len(a) * sum(1 + len(bounds) for bounds in b)
        if self._bounds_left < 0:
            raise self._too_many(line)
        if len(b) == 1:
            # The usual case, one plain bound per assertion: tighten in place, in linear time.
            for bounds in a:
                _tighten(bounds, b[0])
            return a
        if len(a) * len(b) > _MAX_BOXES:
            raise Unsupported(
                f"{self.path}, line {line}: more than {_MAX_BOXES} boxes when multiplied out"
            )
        result = []
        for first in a:
            for second in b:
                bounds = dict(first)
                _tighten(bounds, second)
                result.append(bounds)
        return result

    def _too_many(self, line: int) -> Unsupported:
        return Unsupported(
            f"{self.path}, line {line}: more than {_MAX_BOUNDS} bounds, of all boxes together"
        )

    def _bound(self, form: _Form) -> Bounds:
        if form.head not in ("<=", ">=", "<", ">", "="):
            expected = "<=, >=, and, or"
            raise self.corrupt(form.line, f"expected {expected}; got {form.head or '()'!r}")
        if len(form.items) != 3:
            raise self.corrupt(form.line, f"{form.head} needs two sides")
        names = self._names(form)
        if any(kind == "Y" for kind, _ in names):
            return {}
        left, right = form.items[1:]
        direction = form.head
        if not _is_variable(left):
            left, right = right, left
            direction = {"<": ">", ">": "<"}.get(direction[0], "=") + direction[1:]
        if len(names) != 1 or not _is_variable(left):
            raise Unsupported(
                f"{self.path}, line {form.line}: expected a bound of one input, such as "
                "(<= X_0 1.0); other sets than boxes are not read"
            )
        value = self._number(right)
        low = value if direction[0] in ">=" else -inf
        high = value if direction[0] in "<=" else inf
        return {names[0][1]: (low, high)}

    def _names(self, form: _Form) -> list[tuple[str, int]]:
        """Return the variables of an expression, which must be declared."""
        found = []
        for item in form.items[1:]:
            if isinstance(item, _Form):
                found.extend(self._names(item))
            elif item.text[:1].isalpha():
                kind, index = self._variable(item.line, item.text)
                if index not in self.declared[kind]:
                    raise self.corrupt(item.line, f"{item.text} is not declared")
                found.append((kind, index))
        return found

    def _number(self, item: _Form | _Word) -> float:
        if isinstance(item, _Form):
            # SMT-LIB writes negative numbers as (- 1.0).
            if item.head == "-" and len(item.items) == 2:
                return -self._number(item.items[1])
            raise Unsupported(f"{self.path}, line {item.line}: arithmetic in bounds is not read")
        if _NUMBER.fullmatch(item.text) is None:
            raise self.corrupt(item.line, f"expected a number, got {item.text[:40]!r}")
        value = float(item.text)
        if isinf(value):
            raise self.corrupt(item.line, f"the number {item.text[:40]} is too large for float64")
        return value

    def _arrays(self, alternatives: list[Bounds]) -> list[Box]:
        inputs = self.declared["X"]
        n = len(inputs)
        if not n:
            raise CorruptFile(f"{self.path}: no input X_0 is declared")
        if max(inputs) != n - 1:
            missing = min(set(range(n)) - inputs)
            raise CorruptFile(f"{self.path}: input X_{missing} is not declared")
        if len(alternatives) * n > _MAX_BOUNDS:
            raise self._too_many(1)
        boxes: dict[tuple[bytes, bytes], Box] = {}
        for bounds in alternatives:
            low, high = np.full(n, -inf), np.full(n, inf)
            for index, (lower, upper) in bounds.items():
                # Adding zero turns -0.0 into 0.0, so that equal boxes have equal bytes.
                low[index], high[index] = lower + 0.0, upper + 0.0
            if (low <= high).all():
                boxes.setdefault((low.tobytes(), high.tobytes()), Box(low, high))
        if not boxes:
            raise DegenerateInput(
                f"{self.path}: the bounds contradict each other: no input is left"
            )
        return list(boxes.values())


def _is_variable(item: _Form | _Word) -> bool:
    return isinstance(item, _Word) and _VARIABLE.fullmatch(item.text) is not None


def _tighten(bounds: Bounds, other: Bounds) -> None:
    for index, (low, high) in other.items():
        lower, upper = bounds.get(index, (-inf, inf))
        bounds[index] = (max(lower, low), min(upper, high))
