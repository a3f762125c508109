# SPDX-License-Identifier: MIT
"""Tables of regions in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ._adjacency import mates_of
from ._floating_point import in_default_floating_point
from ._forward import forward_pass
from ._lineality import Quotient
from ._pieces import Pieces, affine_pieces, linear_regions
from ._region import Facet, Region
from ._region_arrays import RegionArrays
from ._region_columns import Columns, IntArray, row_number
from ._region_frames import to_networkx, to_pandas
from ._run import Aside
from ._value import FloatArray, read_only
from .domain import Domain
from .errors import InvalidInput, Unsupported
from .network import Network
from .result import RegionCount

if TYPE_CHECKING:
    from ._decision_boundary import DecisionBoundary

__all__ = ["Facet", "Region", "Regions"]


class Regions(RegionArrays):
    """Activation regions, in columns.

    Made by `regions`. ``len``, indexing and iteration give `Region` views; the columns are NumPy
    arrays for work in bulk. R is the number of regions, d the dimension of the domain; coordinates
    are the domain's own (``regions.domain.embed`` maps them to the input space).

    Attributes
    ----------
    network : Network
    domain : Domain
    place : Domain
        Where the regions were listed: the domain, or the box around a `Ball`.
    dim : int
        The dimension d.
    embedding : float64 array, shape (d + 1, n)
        Inputs are (t, 1) @ embedding, in row-major order.
    patterns : uint64 array, shape (R, words)
        Bit i of a pattern is bit i % 64 of word i // 64, in the order of ``net.pattern_layout``.
    interior_points : float64 array, shape (R, d)
        A point inside each region; NaN where no double lies inside.
    interior_proved : bool array, shape (R,)
        Where the point was proved to lie strictly inside.
    vertices : float64 array, shape (V, d + 1)
        Of all regions, one after the other, homogeneous: a last column 1 marks a vertex, 0 the
        direction of a vertex at infinity. Two-dimensional regions run counter-clockwise.
    vertex_offsets : int64 array, shape (R + 1,)
        Rows ``vertex_offsets[i]`` to ``vertex_offsets[i + 1]`` of `vertices` belong to region i.
    bounded : bool array, shape (R,)
    facet_rows : float64 array, shape (F, d + 1)
        Irredundant facets of all regions, one after the other: rows (a, c) with a . t + c > 0
        inside.
    facet_offsets : int64 array, shape (R + 1,)
    facet_bits : int64 array, shape (F,)
        The pattern bit of the unit that makes the facet, -1 on a side of the domain.
    neighbours : int64 array, shape (F,)
        The region beyond each facet, -1 on a side of the domain.
    volumes : float64 array, shape (R,)
    lineality : float64 array, shape (l, d)
        Directions of the lines that every region contains; mostly none.
    has_faces : bool
        Whether the list has vertices and facets.
    count : RegionCount
        How the listing ended, as from `count`; of a slice of a list: that of the whole list.

    Notes
    -----
    Patterns are certified; vertices and volumes are rounded to double.

    A list made with ``faces=False`` has patterns, interior points and `bounded` alone. What needs
    vertices or facets of all regions raises `Unsupported`; those of single regions are found on
    demand (`Region.facets`, `Region.vertices`, `Region.volume`).

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0]], [-1.0]), lr.relu()])
    >>> table = lr.regions(net, lr.Box(0.0, 1.0))
    >>> table
    Regions(2 in dimension 2, complete)
    >>> table.volumes.tolist(), table.interior_proved.tolist()
    ([0.5, 0.5], [True, True])
    """

    __slots__ = (
        "_affine",
        "_mates",
        "domain",
        "embedding",
        "place",
    )

    def __init__(
        self,
        network: Network,
        domain: Domain,
        count: RegionCount,
        columns: Columns | Callable[[], Columns],
        embedding: FloatArray,
        *,
        whole: bool | None = None,
        quotient: Quotient | None = None,
        place: Domain | None = None,
    ) -> None:
        self.network = network
        self.domain = domain
        self.place = domain if place is None else place
        self.dim = len(embedding) - 1
        self.count = count
        self._columns = columns
        self.embedding = read_only(embedding)
        self._whole = count.status == "complete" if whole is None else whole
        self._quotient = quotient
        self._proved = None
        self._mates: IntArray | None = None
        self._affine: Pieces | None = None

    @property
    @in_default_floating_point
    def facet_mates(self) -> IntArray:
        """For each facet the facet of another region that is the same set; -1 where none is.

        Raises
        ------
        Unsupported
            If the table is not the certified listing of all regions: the region beyond a facet
            may then be missing. Or if the list has no facets.
        """
        return self._find_mates()

    def _find_mates(self, look: Callable[[], object] | None = None) -> IntArray:
        self.columns.known_faces()
        self._needs_all()
        if self._mates is None:
            self._mates = read_only(mates_of(self, look))
        return self._mates

    @property
    def neighbours(self) -> IntArray:
        """Number of the region beyond each facet, -1 on sides of the domain, shape (F,).

        Raises
        ------
        Unsupported
            As for `facet_mates`.
        """
        return self._beyond(self.facet_mates)

    def _beyond(self, mates: IntArray) -> IntArray:
        return np.where(mates < 0, -1, self.facet_regions[mates])

    def adjacency(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return the dual graph: regions are joined that share a facet.

        Returns
        -------
        i, j : int64 array, shape (E,)
            Numbers of regions, i < j; every pair occurs once, in ascending order of i.
        facet : int64 array, shape (E,)
            The common facet, as a facet of region i.

        Raises
        ------
        Unsupported
            If the table is not a complete, certified listing with faces.

        Notes
        -----
        Guarantee: exact, no tolerance takes part. Linear in the number of facets, but for facets on
        which several units change, which are sorted once per layer.

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
        >>> i, j, facet = lr.regions(net).adjacency()
        >>> list(zip(i.tolist(), j.tolist()))
        [(0, 1), (0, 2), (1, 3), (2, 3)]
        """
        mates = self.facet_mates

        def pairs() -> tuple[IntArray, IntArray, IntArray]:
            i, j = self.facet_regions, self._beyond(mates)
            facet = np.flatnonzero(i < j)
            order = facet[np.lexsort([j[facet], i[facet]])]
            return i[order], j[order], order

        return Aside(pairs, len(self))()

    def to_networkx(self) -> Any:
        """Return the dual graph as a `networkx.Graph`; edges have the attribute ``facet``.

        Returns
        -------
        networkx.Graph
            Nodes are the numbers of the regions.

        Raises
        ------
        MissingExtra
            If NetworkX is not installed.
        Unsupported
            As for `adjacency`.
        """
        return to_networkx(self)

    @in_default_floating_point
    def affine_maps(self, space: str = "domain") -> FloatArray:
        """Return the network's affine map on every region.

        Parameters
        ----------
        space : {"domain", "input"}
            What the map takes: domain coordinates, or inputs in row-major order.

        Returns
        -------
        float64 array, shape (R, n_out, d + 1) or (R, n_out, n_in + 1)
            Linear part, and the offset in the last column; rounded to double.

        Raises
        ------
        InvalidInput
            If `space` is neither of the two.

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(1, [lr.Affine([[2.0]], [1.0]), lr.relu()])
        >>> lr.regions(net, lr.Box(-1.0, 1.0)).affine_maps().tolist()
        [[[2.0, 1.0]], [[0.0, 0.0]]]
        """
        if space == "domain":
            columns = self.embedding
        elif space == "input":
            n = self.network.input_size
            columns = np.zeros((n + 1, n))
            columns[:n] = np.eye(n)
        else:
            raise InvalidInput(f"space must be 'domain' or 'input', got {space!r}")
        return forward_pass(self.network).affine_maps(self.patterns, columns)

    @in_default_floating_point
    def affine_pieces(self) -> IntArray:
        """Return which regions have the same affine map.

        Returns
        -------
        int64 array, shape (R,)
            The number of the affine piece of each region, by first occurrence.

        Raises
        ------
        Unsupported
            If the listing was not certified.

        Notes
        -----
        Guarantee: exact. Maps are told apart in floating point with error bounds, and where these
        do not suffice, in integers of any size.

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(1, [lr.Affine([[1.0], [1.0]], [0.0, -1.0]), lr.relu(),
        ...                      lr.Affine([[0.0, 1.0]])])
        >>> lr.regions(net).affine_pieces().tolist()
        [0, 1, 1]
        """
        if self._affine is None:
            found = affine_pieces(self)
            if found.interrupted:
                raise KeyboardInterrupt
            self._affine = found
        return read_only(self._affine.of)

    @in_default_floating_point
    def linear_regions(self) -> IntArray:
        """Return which regions make up a linear region.

        Returns
        -------
        int64 array, shape (R,)
            The number of the linear region of each activation region, by first occurrence.

        Raises
        ------
        Unsupported
            If the table is not a complete, certified listing with faces.

        Examples
        --------
        The hat function is zero on both sides of its support, which do not touch:

        >>> import linear_regions as lr
        >>> hat = [lr.Affine([[1.0], [1.0], [1.0]], [1.0, 0.0, -1.0]), lr.relu(),
        ...        lr.Affine([[1.0, -2.0, 1.0]])]
        >>> table = lr.regions(lr.Network(1, hat))
        >>> table.linear_regions().tolist(), table.affine_pieces().tolist()
        ([0, 1, 2, 3], [0, 1, 2, 0])
        """
        self.columns.known_faces()
        self._needs_all()
        return linear_regions(self, self.affine_pieces())

    def sorted(self) -> Regions:
        """Return the same regions in ascending order of their pattern words, first word first.

        Returns
        -------
        Regions

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
        >>> lr.regions(net).sorted().patterns[:, 0].tolist()
        [0, 1, 2, 3]
        """
        n, words = len(self), self.patterns.T[::-1]
        order = Aside(lambda: np.lexsort(words), n)() if len(words) else np.arange(n)
        return self._take(order, whole=True)

    def _located(self, number: int) -> Region:
        """Return one region with its faces, found anew from its pattern and its point."""
        from ._region_at import located

        if self.count.arithmetic != "certified":
            raise Unsupported(
                "the faces of a region are found on demand in lists with arithmetic='certified'; "
                f"this one is {self.count.arithmetic}: list with faces=True"
            )
        point = Region(self, number).interior_fraction()
        return located(self.network, self.domain, self.patterns[number], point)

    def _take(self, numbers: IntArray, whole: bool = False) -> Regions:
        """Return the regions with these numbers, in this order."""
        return Regions(
            self.network,
            self.domain,
            self.count,
            Aside(partial(self.columns.take, numbers), len(numbers))(),
            self.embedding,
            whole=whole and self._whole,
            quotient=self._quotient,
            place=self.place,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the regions, their network and their domain to a versioned .npz file.

        Parameters
        ----------
        path : str or path
            Used as it is; an existing file is replaced in one step.

        Notes
        -----
        No pickle inside. Counters of work, neighbours and pieces are left out; they are found anew.

        Examples
        --------
        >>> import tempfile
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0]], [-1.0]), lr.relu()])
        >>> table = lr.regions(net, lr.Box(0.0, 1.0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table.save(folder + "/regions.npz")
        ...     lr.load(folder + "/regions.npz") == table
        True
        """
        from ._region_files import save_regions

        save_regions(self, path)

    @staticmethod
    def load(path: str | PathLike[str]) -> Regions:
        """Read regions that `save` wrote.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        Regions

        Raises
        ------
        CorruptFile
            If the file is damaged, of another format or kind, or of a newer version.
        OSError
            If the file cannot be opened.
        """
        from ._region_files import load_regions

        return load_regions(path)

    def to_pandas(self) -> Any:
        """Return one row per region as a `pandas.DataFrame`.

        Returns
        -------
        pandas.DataFrame
            Columns: ``pattern`` (hexadecimal words, the first word first), ``units_on`` (bits that
            are set), ``bounded``, ``volume``, ``vertices`` and ``facets`` (numbers of them; these
            three with faces only), ``proved`` (of the interior point), and ``t0``, ``t1``, ... (the
            interior point).

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        return to_pandas(self)

    def decision_boundary(self, **options: Any) -> DecisionBoundary:
        """Return where the class changes in this domain.

        Parameters
        ----------
        **options
            Those of `decision_boundary`.

        Returns
        -------
        DecisionBoundary

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0]])])
        >>> len(lr.regions(net, lr.Box(-1.0, 1.0)).decision_boundary())
        1
        """
        from ._decision_boundary import decision_boundary

        return decision_boundary(self.network, self.domain, **options)

    @overload
    def __getitem__(self, index: int) -> Region: ...
    @overload
    def __getitem__(self, index: slice) -> Regions: ...
    def __getitem__(self, index: int | slice) -> Region | Regions:
        """Return one region, or the regions of a slice."""
        if isinstance(index, slice):
            return self._take(np.arange(len(self))[index])
        return Region(self, row_number(index, len(self)))

    def __iter__(self) -> Iterator[Region]:
        """Iterate over the regions in order."""
        return (Region(self, i) for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Compare network, domain and columns by value."""
        if not isinstance(other, Regions):
            return NotImplemented
        mine, others = self.columns.arrays(), other.columns.arrays()
        return (
            self.network == other.network
            and self.domain == other.domain
            and self.count == other.count
            and self.columns.exact_points == other.columns.exact_points
            and mine.keys() == others.keys()
            and all(
                np.array_equal(mine[name], others[name], equal_nan=mine[name].dtype.kind == "f")
                for name in mine
            )
        )

    __hash__ = None  # type: ignore[assignment]  # big and mutable arrays inside

    def __repr__(self) -> str:
        """Show the number of regions and the dimension."""
        part = self.count.status == "complete" and not self._whole
        status = "part of a complete list" if part else self.count.status
        return f"Regions({len(self):,} in dimension {self.dim}, {status})"
