# SPDX-License-Identifier: MIT
"""Parts of a search: sub-trees named by paths.

They are the one mechanism behind checkpoints, executors and shards. A `Search` says what is
searched: network, domain, method, arithmetic, and whether regions are listed or only counted. A
`Part` is a set of disjoint sub-trees of its tree. Searching a part gives what was found and the
part that is left, so any division of the tree among calls, processes and machines adds up to one
whole search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from ._digest import digest
from ._divisible import Outcome, Poll
from ._frame import domain_frame
from ._lineality import quotient_of, restricted
from ._lower import frame_of, planar_domain, program
from ._planar import planar_frame
from ._value import FloatArray
from .domain import Domain
from .errors import InvalidInput, Unsupported
from .network import Network

__all__ = ["WITHOUT_FACES", "Block", "Part", "Search"]

WITHOUT_FACES = "regions without faces"  # how checkpoints name such a listing

Numbers: TypeAlias = npt.NDArray[np.uint32]
Block: TypeAlias = tuple[Numbers, dict[str, Any]]

_Call: TypeAlias = Callable[..., dict[str, Any]]
_ENGINES: dict[str, tuple[_Call, _Call, _Call]] = {
    "polygons": (_core.search_planar, _core.cut_planar, _core.probe_planar),
    "cones": (_core.search_cones, _core.cut_cones, _core.probe_cones),
    "tree": (_core.search_tree, _core.cut_tree, _core.probe_tree),
}


@dataclass(frozen=True, eq=False)
class Part:
    """Disjoint sub-trees in the order of the search.

    Attributes
    ----------
    lengths : uint32 array, shape (n,)
        Of the paths.
    children : uint32 array
        Child numbers from the root, one path after the other.
    weights : float64 array, shape (n,)
        Share of the whole search: one over the number of children, at every node above.
    names : uint64 array, shape (n,)
        Hashes of the decisions along the ways: the core refuses a path that leads elsewhere here.
    """

    lengths: Numbers
    children: Numbers
    weights: FloatArray
    names: npt.NDArray[np.uint64]

    @staticmethod
    def whole() -> Part:
        """Return the whole tree."""
        return Part(
            np.zeros(1, np.uint32), np.zeros(0, np.uint32), np.ones(1), np.zeros(1, np.uint64)
        )

    def __len__(self) -> int:
        """Return the number of sub-trees."""
        return len(self.lengths)

    @property
    def weight(self) -> float:
        """Share of the whole search, between 0 and 1."""
        return float(self.weights.sum())

    @property
    def arrays(self) -> tuple[Numbers, Numbers, FloatArray, npt.NDArray[np.uint64]]:
        """The form that the core takes."""
        return self.lengths, self.children, self.weights, self.names

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])

    def take(self, first: int, last: int) -> Part:
        """Return the sub-trees with numbers first to last - 1."""
        rows = slice(first, last)
        numbers = slice(self._starts[first], self._starts[last])
        return Part(
            self.lengths[rows], self.children[numbers], self.weights[rows], self.names[rows]
        )

    def every(self, first: int, n: int) -> Part:
        """Return every n-th sub-tree, from number `first` on."""
        if first >= len(self):
            return self.take(0, 0)
        return Part.join([self.take(i, i + 1) for i in range(first, len(self), n)])

    def pieces(self, n: int) -> list[Part]:
        """Divide into at most `n` parts of about the same weight, none of them empty."""
        if n < 2 or len(self) < 2:
            return [self] if len(self) else []
        before = np.cumsum(self.weights) - self.weights / 2
        owner = np.minimum((before / max(self.weight, 1e-300) * n).astype(np.int64), n - 1)
        bounds = np.searchsorted(owner, np.arange(n + 1))
        return [self.take(int(a), int(b)) for a, b in pairwise(bounds) if b > a]

    @staticmethod
    def join(parts: Sequence[Part]) -> Part:
        """Return all sub-trees of disjoint parts, one part after the other."""
        return Part(
            np.concatenate([np.zeros(0, np.uint32), *(part.lengths for part in parts)]),
            np.concatenate([np.zeros(0, np.uint32), *(part.children for part in parts)]),
            np.concatenate([np.zeros(0), *(part.weights for part in parts)]),
            np.concatenate([np.zeros(0, np.uint64), *(part.names for part in parts)]),
        )

    def ordered(self) -> Part:
        """Return the same sub-trees in the order of the search."""
        starts = self._starts.tolist()
        paths = [self.children[a:b].tolist() for a, b in pairwise(starts)]
        order = sorted(range(len(paths)), key=paths.__getitem__)
        children = [number for i in order for number in paths[i]]
        return Part(
            self.lengths[order],
            np.array(children, np.uint32),
            self.weights[order],
            self.names[order],
        )


@dataclass(frozen=True)
class Search:
    """What is searched. Pickles; the core's form is made once per process.

    Attributes
    ----------
    network : Network
    domain : Domain
    method : str
        ``"polygons"``, ``"cones"`` or ``"tree"``.
    certified : bool
    lists : bool
        Whether regions are listed.
    faces : bool
        Of a listing: with vertices and facets, too.
    """

    network: Network
    domain: Domain
    method: str
    certified: bool
    lists: bool = False
    faces: bool = True

    def __post_init__(self) -> None:
        """Refuse what has no parts."""
        if self.method not in _ENGINES:
            raise Unsupported(
                f"method {self.method!r} merges equal flats of the whole search, so it has no "
                "parts that could be searched apart: leave checkpoint, executor and shards out, "
                "take method='cones' or method='tree', or count the chambers of "
                "net.first_layer_arrangement(), which takes checkpoint and executor"
            )
        if self.method == "tree" and not self.certified:
            raise Unsupported(
                "with arithmetic='float' the tree depends on the points that were found before, so "
                "parts of it have no lasting names: use arithmetic='certified'"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the core's objects out."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the fields."""
        self.__dict__.update(state)

    @cached_property
    def _place(self) -> Any:
        shape = self.network.input_shape
        if self.method == "polygons":
            return planar_domain(planar_frame(self.domain, shape))
        frame = domain_frame(self.domain, shape)
        place = frame_of(frame)
        if self.lists:
            # As `regions` lists: across the lines that all regions contain.
            quotient = quotient_of(program(self.network), frame, place)
            if quotient is not None:
                place = frame_of(restricted(frame, quotient))
        return place

    @cached_property
    def identity(self) -> str:
        """Name what is searched, as a hexadecimal SHA-256."""
        options: tuple[Any, ...] = (self.method, self.certified, self.lists)
        if not self.faces:
            options = (*options, WITHOUT_FACES)
        return digest((self.network, self.domain.resolve(self.network.input_shape), options))

    def run(
        self,
        part: Part,
        *,
        threads: int = 1,
        limit: int | None = None,
        time_limit: float | None = None,
        pause_after: float | None = None,
        pause_at: int | None = None,
        poll: Poll = None,
        wide: bool = False,
    ) -> Outcome:
        """Search a part until it is done, a limit stops it, or it is time for a pause.

        A pause comes between two nodes, whereas a limit breaks a node off, which is then begun
        anew: runs that pause get ahead, however short they are.
        """
        try:
            answer = _ENGINES[self.method][0](
                program(self.network),
                self._place,
                self.certified,
                part.arrays,
                self.lists,
                self.faces,
                wide,
                threads,
                limit,
                time_limit,
                pause_after,
                pause_at,
                poll,
            )
        except _core.ForeignPart as error:
            raise InvalidInput(f"{error}: begin anew, or go on where it was begun") from None
        return Outcome(
            answer["regions"],
            answer["status"],
            Part(*answer["rest"]),
            answer["wide"],
            answer["seconds"],
            answer["work"],
            answer["interrupted"],
            answer["blocks"],
            answer["setup_seconds"],
        )

    def cut(self, part: Part, share: float, poll: Poll = None) -> Outcome:
        """Cut a part into sub-trees of at most about `share` of the whole search."""
        answer = _ENGINES[self.method][1](
            program(self.network),
            self._place,
            self.certified,
            part.arrays,
            self.lists,
            self.faces,
            False,
            share,
            poll,
        )
        return Outcome(0, "paused", Part(*answer["part"]), interrupted=answer["interrupted"])

    def probe(
        self, seed: int, ways: int, time_limit: float | None, poll: Poll = None
    ) -> dict[str, Any]:
        """Go down `ways` random ways; see `predict_cost`."""
        probed: dict[str, Any] = _ENGINES[self.method][2](
            program(self.network), self._place, self.certified, seed, ways, time_limit, poll
        )
        return probed
