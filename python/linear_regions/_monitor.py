# SPDX-License-Identifier: MIT
"""A training callback that writes region counts of a network as JSON lines."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from ._count import count
from ._geometry import integer
from ._local_complexity import local_complexity
from ._segments import count_segments
from ._torch_record import torch_module
from ._version import __version__
from .domain import Domain, as_domain
from .errors import InvalidInput
from .nas import naswot, te_nas
from .network import Network

__all__ = ["Monitor"]

Record = dict[str, Any]
_OWN = frozenset(
    ("epoch", "time", "version", "seconds", "count", "segments", "patterns", "naswot", "local")
)


class Monitor:
    """Logs how the regions of a network evolve: one JSON line every few epochs.

    A monitor is called with the epoch and the model; it computes what its arguments ask for at the
    same places every time, appends one line to the file and closes it.

    Parameters
    ----------
    path : str or path
        The file. Lines are added to an existing one, also behind a line that a killed run left
        unfinished.
    every : int, default 1
        Log the epochs that are multiples of it; other calls return at once.
    domain : Domain, optional
        Log ``count``: the exact number of activation regions there, for instance in
        ``lr.Slice.through(three_images)``.
    segments : pair of array_like, shape (m, *input_shape) each, optional
        Log ``segments``: exact numbers of regions on the segments between the two batches of
        points.
    points : array_like, shape (m, *input_shape), optional
        Log ``patterns``, the distinct patterns of these points, and ``naswot``, score and rank.
    radius : float, optional
        Log ``local``, too: the local complexity of `points` at this radius.
    directions : int, default 25
        Of the local complexity; at most the number of inputs.
    input_shape : int or tuple of int, optional
        Of modules; default the shape of `points` or `segments` without the batch axis.
    time_limit : float, optional
        Seconds for ``count`` and for ``segments`` each; what stops them is in the line.
    threads : int, optional
        For ``count`` and ``segments``.
    rng : int, default 0
        Draws the directions of the local complexity, the same ones at every epoch.

    Raises
    ------
    InvalidInput, TypeError
        If an argument is wrong, or there is nothing to log.

    Notes
    -----
    A module is read by `load`, as it is at inference, with the weights of the moment; it is left as
    it was. Where training goes on from an earlier epoch, `read` takes the last line of every epoch.

    Examples
    --------
    >>> import os, tempfile
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "regions.jsonl")
    ...     monitor = lr.Monitor(file, every=5, domain=lr.Box(-1, 1))
    ...     for epoch in range(7):
    ...         _ = monitor(epoch, net, loss=1.0 / (1 + epoch))
    ...     [(r["epoch"], r["count"]["value"], r["loss"]) for r in lr.Monitor.read(file)]
    [(0, 4, 1.0), (5, 4, 0.16666666666666666)]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int = 1,
        domain: Domain | None = None,
        segments: tuple[Any, Any] | None = None,
        points: Any = None,
        radius: float | None = None,
        directions: int = 25,
        input_shape: int | tuple[int, ...] | None = None,
        time_limit: float | None = None,
        threads: int | None = None,
        rng: int = 0,
    ) -> None:
        self.path = Path(path)
        self.every = integer("every", every, 1)
        as_domain(domain)
        pair: Any = segments
        if pair is not None and (not isinstance(pair, (tuple, list)) or len(pair) != 2):
            raise InvalidInput("segments must be a pair (a, b) of batches of points")
        if domain is None and segments is None and points is None:
            raise InvalidInput("nothing to log: give domain=, segments= or points=")
        if radius is not None and points is None:
            raise InvalidInput("radius= asks for the local complexity of points: give points=")
        self.domain = domain
        self.segments = None if segments is None else tuple(_array(end) for end in segments)
        self.points = None if points is None else _array(points)
        self.radius = radius
        self.directions = integer("directions", directions, 1)
        self.input_shape = input_shape
        self.time_limit, self.threads = time_limit, threads
        self.rng = integer("rng", rng, 0)

    def __call__(self, epoch: int, model: Any, **extra: Any) -> Record | None:
        """Log the model if the epoch is due.

        Parameters
        ----------
        epoch : int
        model : Network or torch.nn.Module
        **extra
            Further entries of the line, such as ``loss=``: numbers, strings, lists.

        Returns
        -------
        dict or None
            What was written; None if the epoch is not due.
        """
        number = integer("epoch", epoch, 0)
        if number % self.every:
            return None
        if clash := sorted(_OWN & set(extra)):
            raise InvalidInput(f"{', '.join(clash)}: a name of the monitor's own; take another")
        started = time.perf_counter()
        net = self._network(model)
        record: Record = {"epoch": number, "time": time.time(), "version": __version__}
        if self.domain is not None:
            found = count(net, self.domain, time_limit=self.time_limit, threads=self.threads)
            record["count"] = {
                "value": found.value,
                "kind": found.kind,
                "status": found.status,
                "seconds": found.seconds,
            }
        if self.segments is not None:
            record["segments"] = self._segments(net)
        if self.points is not None:
            record.update(self._points(net))
        record["seconds"] = time.perf_counter() - started
        line = _plain({**record, **extra})
        self._write(json.dumps(line, allow_nan=False))
        return line  # type: ignore[no-any-return]

    @staticmethod
    def read(path: str | os.PathLike[str]) -> list[Record]:
        """Return the lines of a file, by epoch: the last one of each.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        list of dict
            In increasing order of epochs. Lines that a killed run left unfinished, and
            others that are no record, are left out.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        records: dict[int, Record] = {}
        for line in Path(path).read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and type(record.get("epoch")) is int:
                records[record["epoch"]] = record
        return [records[epoch] for epoch in sorted(records)]

    def _network(self, model: Any) -> Network:
        if isinstance(model, Network):
            return model
        if torch_module(model) is None:
            raise TypeError(
                f"model must be a Network or a torch.nn.Module, got {type(model).__name__}"
            )
        from .importers import load

        shape = self.input_shape
        batch = self.points if self.points is not None else (self.segments or (None,))[0]
        if shape is None and batch is not None and batch.ndim > 1:
            shape = batch.shape[1:]
        net: Network = load(model, input_shape=shape, drop_output=True)
        return net

    def _segments(self, net: Network) -> Record:
        assert self.segments is not None
        a, b = self.segments
        counts = count_segments(net, a, b, time_limit=self.time_limit, threads=self.threads)
        known = counts[counts >= 0] if counts.ndim else counts.reshape(1)
        return {
            "counts": counts.tolist() if counts.ndim else [int(counts)],
            "mean": float(known.mean()) if len(known) else None,
            "complete": bool(len(known) == counts.size),
        }

    def _points(self, net: Network) -> Record:
        met = te_nas(net, self.points)
        score = naswot(net, self.points)
        record: Record = {
            "patterns": {
                "distinct": met.distinct,
                "samples": met.samples,
                "coverage": met.coverage,
                "saturated": met.saturated,
            },
            "naswot": {"score": score.score, "rank": score.rank},
        }
        if self.radius is not None:
            p = min(self.directions, net.input_size)
            local = local_complexity(
                net, self.points, radius=self.radius, directions=p, rng=self.rng
            )
            per_layer = local.per_layer
            assert per_layer is not None
            record["local"] = {
                "mean": local.mean,
                "per_layer": per_layer.mean(axis=0).tolist() if len(local) else [],
                "radius": local.radius,
                "directions": local.directions,
            }
        return record

    def _write(self, line: str) -> None:
        """Append one line and close the file: nothing is lost when the process ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line that a killed run left unfinished
                    line = "\n" + line
            file.write(line.encode() + b"\n")


def _array(points: Any) -> np.ndarray:
    if hasattr(points, "detach"):
        points = points.detach().cpu().double().numpy()
    return np.array(points, dtype=np.float64)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (str, bool)) or value is None:
        return value
    if hasattr(value, "tolist"):  # arrays and tensors, of one number, too
        return _plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise TypeError(f"a line cannot hold {value!r}; give numbers, strings or lists")
