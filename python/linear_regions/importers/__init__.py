# SPDX-License-Identifier: MIT
"""Reading of networks from files and from other packages.

An importer is a small object: a `name`, ``accepts(source)``, and ``load(source, *, input_shape,
activation, fold, drop_output) -> Network``. The built-in ones are asked in order, then those of
the entry-point group ``linear_regions.importers``. Each imports its framework only when it has
something to read, and compares the network with the model before it hands it out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, Protocol

from .._layer import Layer
from ..architecture import as_input_shape
from ..errors import InvalidInput, Unsupported
from ..network import Network
from .arrays import ArraysImporter
from .onnx import OnnxImporter
from .torch import TorchImporter

__all__ = ["Importer", "load", "save"]

logger = logging.getLogger(__name__)


class Importer(Protocol):
    """What an importer offers; register one in the entry-point group ``linear_regions.importers``.

    An entry point names an instance, or a class that is called without arguments. `load` asks the
    importers of this package first.

    Attributes
    ----------
    name : str
        For messages.

    Examples
    --------
    >>> import linear_regions as lr
    >>> class Doubling:
    ...     name = "doubling"
    ...     def accepts(self, source):
    ...         return isinstance(source, str) and source.startswith("doubling:")
    ...     def load(self, source, **options):
    ...         n = int(source.removeprefix("doubling:"))
    ...         return lr.Network(n, [lr.Scale([2.0] * n)])
    >>> Doubling().load("doubling:3")
    Network((3,) -> (3,), 1 layers, 0 units, 6 parameters)
    """

    name: str

    def accepts(self, source: object) -> bool:
        """Tell whether this importer reads `source`; must be quick and import nothing heavy.

        Parameters
        ----------
        source : object
            The first argument of `load`.

        Returns
        -------
        bool
        """
        ...

    def load(
        self,
        source: Any,
        *,
        input_shape: int | tuple[int, ...] | None = None,
        activation: str | Layer = "relu",
        fold: bool = True,
        drop_output: bool = False,
    ) -> Network:
        """Return the network, or raise an error that names what cannot be read.

        Parameters
        ----------
        source : object
            What was accepted.
        input_shape, activation, fold, drop_output
            As `load` has them.

        Returns
        -------
        Network
        """
        ...


_BUILT_IN: tuple[Importer, ...] = (ArraysImporter(), TorchImporter(), OnnxImporter())

_HINT = (
    "expected a path to an .onnx or .npz file, a torch.nn.Module or ExportedProgram (with "
    "input_shape=), an onnx.ModelProto, or a list of (W, b) pairs"
)


def load(
    source: Any,
    *,
    input_shape: int | tuple[int, ...] | None = None,
    activation: str | Layer = "relu",
    fold: bool = True,
    drop_output: bool = False,
) -> Any:
    """Return the network that `source` holds, or whatever `save` wrote.

    Parameters
    ----------
    source : str, path, object or sequence
        Path to an ONNX file, to our own ``.npz``, or to a folder that ``regions(..., out=)`` wrote
        (a `RegionFolder`); a ``torch.nn.Module`` or ``ExportedProgram``;
        an ``onnx.ModelProto``; or ``[(W, b), ...]`` with W of shape (n_out, n_in). A `Network` is
        returned as it is.
    input_shape : int or tuple of int, optional
        Shape of one sample, channels first, without the batch axis. Needed for PyTorch modules
        and for ONNX files that leave it open.
    activation : str or Layer, default "relu"
        For ``[(W, b), ...]`` only: the activation between the layers ("relu", "leaky_relu",
        "hard_tanh", "relu6", "absolute", or a layer). None follows the last one.
    fold : bool, default True
        Whether batch normalization and other scales are folded into the layer before them where
        that rounds; each such fold is listed in ``net.notes``. False keeps them as `Scale`.
    drop_output : bool, default False
        Whether a Softmax, LogSoftmax, Sigmoid or ArgMax at the end is cut; recorded in
        ``net.notes``.

    Returns
    -------
    Network, Regions or RegionFolder
        Of an ``.npz`` file what was saved, of a folder the listing on disk, else a network.

    Raises
    ------
    TypeError
        If no importer reads this type of object.
    Unsupported
        If some operator cannot be expressed (the message has its type and name), or the file is of
        a kind that is not read.
    CorruptFile
        If a file is damaged.
    MissingExtra
        If ``torch`` or ``onnx`` is needed and not installed.
    InvalidInput
        If `input_shape` does not fit the model, or `activation` is given for a model that has its
        own.

    Notes
    -----
    Weights become float64 without rounding. A network from PyTorch or ONNX is compared with the
    model at random points before it is returned; the largest difference goes to the log
    (``linear_regions.importers``, level DEBUG).

    Examples
    --------
    >>> load([([[1.0, 2.0], [0.0, 1.0]], [0.0, 0.5]), ([[1.0, -1.0]], [0.0])])
    Network((2,) -> (1,), 3 layers, 2 units, 9 parameters)
    """
    if isinstance(source, Network):
        return source
    options: dict[str, Any] = {
        "input_shape": input_shape,
        "activation": activation,
        "fold": fold,
        "drop_output": drop_output,
    }
    for importer in _BUILT_IN:
        if importer.accepts(source):
            if activation != "relu" and importer.name != "arrays":
                raise InvalidInput(
                    "activation= is for lists of (W, b) pairs; this model has its own activations"
                )
            return importer.load(source, **options)
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        from .._region_chunks import RegionFolder

        return RegionFolder(os.fspath(source))
    if _is_npz(source):
        return _load_npz(source, input_shape)
    # Slow to import, and needed by nobody who uses the built-in importers.
    from importlib.metadata import entry_points

    failed = []
    for entry in entry_points(group="linear_regions.importers"):
        try:
            plugin = entry.load()
        except Exception as error:
            logger.warning("importer %r cannot be loaded: %s", entry.name, error)
            failed.append(f"importer {entry.name!r} cannot be loaded: {error}")
            continue
        importer = plugin() if isinstance(plugin, type) else plugin
        if importer.accepts(source):
            return importer.load(source, **options)
    tail = "".join(f" ({message})" for message in failed)
    if isinstance(source, (str, os.PathLike)):
        raise Unsupported(_path_message(os.fspath(source)) + tail)
    raise TypeError(_type_message(source) + tail)


def _type_message(source: object) -> str:
    if isinstance(source, type):
        return f"expected a network, got the class {source.__name__}: give load an instance of it"
    hint = _HINT
    if isinstance(source, Mapping):
        hint = (
            "a state dict holds weights and no layers; make the module, fill it with "
            "module.load_state_dict(...) and give it to load(module, input_shape=...)"
        )
    return f"cannot read a network from {type(source).__name__}: {hint}"


def _is_npz(source: object) -> bool:
    if not isinstance(source, (str, os.PathLike)):
        return False
    path = os.fspath(source)
    if str(path).lower().endswith(".npz"):
        return True
    import zipfile

    # `save` uses the name as it is given, so the suffix may be another one; PyTorch's files are
    # ZIP archives too, and pickles inside.
    return os.path.splitext(path)[1] not in _PICKLES and zipfile.is_zipfile(path)


_PICKLES = (".pt", ".pth", ".pt2", ".pkl", ".ckpt", ".bin")


def _load_npz(source: Any, input_shape: int | tuple[int, ...] | None) -> Any:
    from .._npz import kind_of
    from .._npz import load as load_npz

    loaded: Any
    if kind_of(source) == "regions":
        from .._regions import Regions

        loaded = Regions.load(source)
    else:
        loaded = load_npz(source)
    if input_shape is not None and isinstance(loaded, Network):
        wanted = as_input_shape(input_shape)
        if loaded.input_shape != wanted:
            raise InvalidInput(
                f"{os.fspath(source)}: expected input_shape={wanted}, the file has "
                f"{loaded.input_shape}"
            )
    return loaded


def _path_message(path: Any) -> str:
    if not os.path.exists(path):
        raise FileNotFoundError(f"no such file: {path}")
    if os.path.splitext(path)[1] in _PICKLES:
        return (
            f"{path}: PyTorch's files are not opened, because they may hold code; load the module "
            "yourself and give it to load(module, input_shape=...)"
        )
    if str(path).lower().endswith((".vnnlib", ".vnnlib.gz")):
        return (
            f"{path}: a property of a network, not a network; read_vnnlib(path) gives its boxes as "
            "domains, and so does --vnnlib on the command line"
        )
    return (
        f"{path}: unknown kind of file; expected an .onnx file or an .npz file that save wrote; "
        "from Python, load takes PyTorch modules and lists of (W, b) pairs, too"
    )


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write a network or regions to a versioned ``.npz`` file.

    Parameters
    ----------
    obj : Network or Regions
    path : str or path
        The name is used as it is; an existing file is replaced.

    Raises
    ------
    TypeError
        If `obj` cannot be saved.

    Examples
    --------
    >>> import tempfile
    >>> net = load([([[1.0, 2.0]], [0.5])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(net, folder + "/net.npz")
    ...     load(folder + "/net.npz") == net
    True
    """
    method = getattr(obj, "save", None)
    if (
        isinstance(obj, type)
        or not callable(method)
        or not type(obj).__module__.startswith("linear_regions.")
    ):
        raise TypeError(f"cannot save {type(obj).__name__}; expected a Network or Regions")
    method(path)
