# SPDX-License-Identifier: MIT
"""Training-free scores of architecture search over activation patterns, one call each.

All take a `Network`, a ``torch.nn.Module`` (run once, left as it was, in the mode in which it is),
pre-activations from NumPy or PyTorch, or packed patterns. Nothing is printed, written or kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._geometry import generator, integer
from ._modular_rank import modular_rank
from ._numbers import decimal_string
from ._pattern_source import Packed, packed_patterns
from ._run import Aside
from ._sample_count import SATURATED_COVERAGE, chao1, good_turing
from ._torch_record import torch_module
from ._value import SameFields
from .architecture import as_input_shape
from .errors import InvalidInput
from .network import Network

__all__ = ["NaswotScore", "PatternCount", "hamming_kernel", "naswot", "te_nas"]

Rng = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None

_BLOCK = 2**20  # numbers between two looks at signals


@dataclass(frozen=True)
class PatternCount:
    """Number of distinct activation patterns of a batch; ``int`` of it is that number.

    Attributes
    ----------
    distinct : int
        Distinct patterns.
    samples : int
        Size of the batch.
    bits : int
        Length of a pattern.
    coverage : float
        Good-Turing estimate of the share of the sampling distribution whose patterns were met.
    saturated : bool
        True where nearly every sample met a new pattern: then `distinct` measures `samples`, and
        more samples or a smaller input are needed to tell networks apart.
    total_estimate : float
        Chao's estimate, from below, of the number of patterns of positive probability.
    seconds : float
        Time of the whole call.

    Examples
    --------
    >>> import numpy as np
    >>> found = te_nas(np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 3.0]]))
    >>> int(found), found.samples, found.bits, found.saturated
    (2, 3, 2, False)
    """

    distinct: int
    samples: int
    bits: int
    coverage: float
    saturated: bool
    total_estimate: float
    seconds: float

    def __int__(self) -> int:
        """Return `distinct`."""
        return self.distinct

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; counts are decimal strings, as in `SampleCount`."""
        return {
            "distinct": decimal_string(self.distinct),
            "samples": decimal_string(self.samples),
            "bits": self.bits,
            "coverage": self.coverage,
            "saturated": self.saturated,
            "total_estimate": self.total_estimate,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, eq=False, repr=False)
class NaswotScore(SameFields):
    """Kernel and score of `naswot`; ``float`` of it is the score.

    Attributes
    ----------
    score : float
        log|det K|, by a pseudo-determinant where K is singular: the sum of the logarithms of the
        `rank` largest eigenvalues. Finite unless there are no activation units (then -inf).
    rank : int
        Rank of K. Scores of equal rank compare; a smaller rank is the worse network.
    distinct : int
        Distinct patterns among the samples; `rank` is at most this.
    samples, bits : int
        Size of the batch, and length of a pattern.
    kernel : int64 array, shape (samples, samples)
        Number of bits in which two samples agree.
    seconds : float
        Time of the whole call.

    Examples
    --------
    >>> import numpy as np
    >>> found = naswot(np.array([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]))
    >>> round(float(found), 3), found.rank, found.singular, found.kernel.tolist()
    (1.609, 2, False, [[3, 2], [2, 3]])
    """

    score: float
    rank: int
    distinct: int
    samples: int
    bits: int
    kernel: npt.NDArray[np.int64]
    seconds: float = field(compare=False)

    @property
    def singular(self) -> bool:
        """True where the determinant itself is zero: the original score is -inf there."""
        return self.rank < self.samples

    def __float__(self) -> float:
        """Return `score`."""
        return self.score

    def to_dict(self) -> dict[str, Any]:
        """Return the fields but the kernel as JSON types; a score of -inf is None."""
        return {
            "score": self.score if np.isfinite(self.score) else None,
            "rank": self.rank,
            "singular": self.singular,
            "distinct": decimal_string(self.distinct),
            "samples": decimal_string(self.samples),
            "bits": self.bits,
            "seconds": self.seconds,
        }

    def __repr__(self) -> str:
        """Return one line without the kernel."""
        return (
            f"NaswotScore(score={self.score:.6g}, rank={self.rank}, samples={self.samples}, "
            f"distinct={self.distinct}, bits={self.bits})"
        )


def te_nas(
    source: Any,
    points: Any = None,
    *,
    n: int | None = None,
    input_shape: int | Sequence[int] | None = None,
    bits: int | None = None,
    rng: Rng = None,
) -> PatternCount:
    """Count the distinct activation patterns of a batch: the expressivity score of TE-NAS.

    Parameters
    ----------
    source : Network, torch.nn.Module, array, or sequence of arrays
        A network or module, run at `points`; pre-activations of shape (batch, ...), one array or
        one per layer; or packed patterns (uint64, shape (batch, words)) with `bits`.
    points : array_like or tensor, shape (batch, *input_shape), optional
        Inputs; default `n` standard normal ones.
    n : int, optional
        Number of inputs that are drawn; default 3,000, as in the paper.
    input_shape : int or tuple of int, optional
        Of the inputs that are drawn for a module; the paper uses (1, 3, 3) or (3, 3, 3).
    bits : int, optional
        For packed patterns: length of a pattern.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Draws the inputs.

    Returns
    -------
    PatternCount
        With a flag where the number only measures the size of the batch.

    Raises
    ------
    InvalidInput
        If the arguments do not fit together.
    Unsupported
        If a module runs an operator that is known to be smooth.
    MissingExtra
        If `source` is a module and PyTorch is not installed.

    Notes
    -----
    An estimate from below of the number of regions; a sample of it, not a count (see `count`,
    `count_segments`). Patterns are compared word by word: no hash collision takes part. Time is
    that of the forward pass and about 0.1 microseconds a sample and word.

    References
    ----------
    W. Chen, X. Gong, Z. Wang, "Neural Architecture Search on ImageNet in Four GPU Hours: A
    Theoretically Inspired Perspective", ICLR 2021, arXiv:2102.11535, section 3.2.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> int(lr.nas.te_nas(net, n=1000, rng=0))
    4
    """
    started = time.perf_counter()
    if points is None and (isinstance(source, Network) or torch_module(source) is not None):
        points = _normal(source, 3_000 if n is None else integer("n", n, 1), input_shape, rng)
    elif n is not None or input_shape is not None:
        raise InvalidInput("n= and input_shape= are for inputs that are drawn: give no points")
    packed = packed_patterns(source, points, bits=bits)
    frequencies = _frequencies(packed)
    samples, once = len(packed.words), int((frequencies == 1).sum())
    coverage = good_turing(samples, once)
    return PatternCount(
        distinct=len(frequencies),
        samples=samples,
        bits=packed.bits,
        coverage=coverage,
        saturated=samples > 0 and coverage < SATURATED_COVERAGE,
        total_estimate=chao1(frequencies)[0],
        seconds=time.perf_counter() - started,
    )


def hamming_kernel(
    source: Any, points: Any = None, *, bits: int | None = None
) -> npt.NDArray[np.int64]:
    """Return in how many bits the patterns of two samples agree, for all pairs.

    Parameters
    ----------
    source, points, bits
        As in `naswot`.

    Returns
    -------
    int64 array, shape (batch, batch)
        Symmetric and positive semidefinite; the diagonal is the length of a pattern.

    Raises
    ------
    InvalidInput, Unsupported, MissingExtra
        As in `te_nas`.

    Examples
    --------
    >>> import numpy as np
    >>> hamming_kernel(np.array([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]))
    array([[3, 2],
           [2, 3]])
    """
    return _kernel(packed_patterns(source, points, bits=bits))


def naswot(source: Any, points: Any = None, *, bits: int | None = None) -> NaswotScore:
    """Return kernel and score of NASWOT: how differently a network sees the inputs of a batch.

    Parameters
    ----------
    source : Network, torch.nn.Module, array, or sequence of arrays
        As in `te_nas`.
    points : array_like or tensor, shape (batch, *input_shape), optional
        The batch; needed for networks and modules.
    bits : int, optional
        For packed patterns: length of a pattern.

    Returns
    -------
    NaswotScore
        With the kernel K and its rank.

    Raises
    ------
    InvalidInput, Unsupported, MissingExtra
        As in `te_nas`.

    Notes
    -----
    K[i, j] is the number of bits in which samples i and j agree, and the score is log|det K|. Where
    two samples share a pattern (or the patterns depend on each other in another way), det K = 0
    and the original score is minus infinity; here the pseudo-determinant takes its place: the
    product of the eigenvalues that are not zero. `rank` says how many these are: it is proved where
    it is full (by a factorization with an error bound); otherwise it is the rank modulo the prime
    2**31 - 1, which never exceeds the true one and differs from it only if that prime divides all
    minors of that size. Time is that of the forward pass, and beside it grows with the square of
    the batch times the bits, and with the cube of the batch.

    References
    ----------
    J. Mellor, J. Turner, A. Storkey, E. J. Crowley, "Neural Architecture Search without Training",
    ICML 2021, arXiv:2006.04647, equations 1 and 2.

    Examples
    --------
    >>> import numpy as np
    >>> preactivations = np.array([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])
    >>> naswot(preactivations)  # log(3 * 3 - 2 * 2)
    NaswotScore(score=1.60944, rank=2, samples=2, distinct=2, bits=3)
    >>> naswot(preactivations[[0, 0, 1]]).rank
    2
    """
    started = time.perf_counter()
    packed = packed_patterns(source, points, bits=bits)
    kernel = _kernel(packed)
    distinct = len(_frequencies(packed))
    score, rank = _log_determinant(kernel, distinct)
    return NaswotScore(
        score=score,
        rank=rank,
        distinct=distinct,
        samples=len(kernel),
        bits=packed.bits,
        kernel=kernel,
        seconds=time.perf_counter() - started,
    )


def _normal(
    source: Any, n: int, input_shape: int | Sequence[int] | None, rng: Rng
) -> npt.NDArray[np.float64]:
    shape: tuple[int, ...]
    if isinstance(source, Network):
        shape = source.input_shape
        if input_shape is not None and as_input_shape(input_shape) != shape:
            raise InvalidInput(f"input_shape={input_shape}: the network has {shape}")
    elif input_shape is None:
        raise InvalidInput("a module needs points, or input_shape= of the inputs to draw")
    else:
        shape = as_input_shape(input_shape)
    points, source = np.empty((n, *shape)), generator(rng)
    step = max(1, _BLOCK // max(1, prod(shape)))
    for start in range(0, n, step):  # a signal is heard between two blocks
        source.standard_normal(out=points[start : start + step])
    return points


def _frequencies(packed: Packed) -> npt.NDArray[np.int64]:
    return _core.distinct_rows(packed.words)[1]


def _kernel(packed: Packed) -> npt.NDArray[np.int64]:
    if not len(packed.words):
        raise InvalidInput("expected at least one sample")
    return packed.bits - _core.pattern_distances(packed.words)


def _log_determinant(kernel: npt.NDArray[np.int64], distinct: int) -> tuple[float, int]:
    """Return the logarithm of the (pseudo-)determinant, and the rank."""
    matrix = kernel.astype(np.float64)  # exact: far below 2**53
    n = len(matrix)
    if not kernel.any():
        return -np.inf, 0
    if distinct == n and _surely_positive(matrix):
        return _log_of_full_rank(matrix), n
    rank = modular_rank(kernel)
    if rank == n:
        return _log_of_full_rank(matrix), n
    values = Aside(lambda: np.linalg.eigvalsh(matrix), n)()[n - rank :]
    return float(np.log(values).sum()), rank


def _log_of_full_rank(matrix: npt.NDArray[np.float64]) -> float:
    return float(Aside(lambda: np.linalg.slogdet(matrix), len(matrix))()[1])


def _surely_positive(matrix: npt.NDArray[np.float64]) -> bool:
    """Tell whether the matrix is proved to be positive definite.

    If the factorization of K - d I succeeds in floating point, K - d I + E has no negative
    eigenvalue for some |E| below n (n + 1) u times the largest entry, times a factor of two at
    most (Higham, Accuracy and Stability of Numerical Algorithms, theorem 10.3): with a larger d, K
    is positive definite.
    """
    n = len(matrix)
    shift = 4.0 * n * (n + 2) * 2.0**-53 * float(matrix.max())
    try:
        Aside(lambda: np.linalg.cholesky(matrix - shift * np.eye(n)), n)()
    except np.linalg.LinAlgError:
        return False
    return True
