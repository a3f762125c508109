# SPDX-License-Identifier: MIT
"""Pictures of regions, with Matplotlib; which is imported only when a picture is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ._colors import PALETTES, Palette
from ._picture import Limits, Picture, clip_to_view, default_view, line_picture, picture
from .errors import InvalidInput, MissingExtra, Unsupported

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    import linear_regions as lr

__all__ = ["coordinates", "plot"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

# Outlines are drawn up to this many regions; beyond it they would hide the colours.
_OUTLINED = 3000
_MOST_IN_LEGEND = 12


def plot(
    regions_or_net: lr.Regions | lr.Network,
    domain: lr.Domain | None = None,
    *,
    ax: Axes | None = None,
    color_by: Literal["region", "class"] | npt.ArrayLike = "region",
    decision_boundary: bool | lr.DecisionBoundary = False,
    points: npt.ArrayLike | None = None,
    labels: Iterable[object] | None = None,
    view: Limits | None = None,
    theme: Literal["light", "dark"] | None = None,
    threads: int | None = None,
    limit: int | None = None,
    time_limit: float | None = None,
) -> Axes:
    """Draw the activation regions of a network in a domain of dimension 1 or 2.

    Parameters
    ----------
    regions_or_net : Regions or Network
        What `regions` returned, or a network whose regions are found first.
    domain : Domain, optional
        For a network: where to look; default the whole input space.
    ax : matplotlib Axes, optional
        Where to draw; default the axes of a new figure. Nothing is shown.
    color_by : "region", "class" or array_like of float, shape (R,)
        "region": neighbours get different colours. "class": the hue is the class (the largest
        output; for a single output its sign) and regions differ in lightness. Numbers: one per
        region, on Matplotlib's colour map.
    decision_boundary : bool or DecisionBoundary, default False
        Whether to draw where the class changes: True computes it from the affine map of each
        region, not on a grid; what `decision_boundary` returned is drawn as it is.
    points : array_like of float, optional
        Points to mark: shape (k, dim) in coordinates of the domain, or inputs of shape
        (k, *input_shape), which are projected onto the plane of a slice.
    labels : iterable, optional
        One text per point.
    view : ((low, high), (low, high)), optional
        What to draw, in coordinates of the domain. Needed for nothing; by default a bounded domain
        is drawn whole and an unbounded one around the middle half of its corners.
    theme : "light" or "dark", optional
        Default by the background of the axes.
    threads, limit, time_limit
        For a network: passed to `regions`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtra
        If Matplotlib is not installed.
    Unsupported
        If the domain has a dimension above 2.
    InvalidInput
        If an argument does not fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> lr.plot(net, lr.Box(-1.0, 1.0)).get_title()
    '4 activation regions'
    """
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise MissingExtra("Drawing a picture", "plot") from error
    del matplotlib
    options = {"threads": threads, "limit": limit, "time_limit": time_limit}
    drawn, partly = _drawable(regions_or_net, domain, view, options)
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1]
    palette = PALETTES[theme or _theme_of(ax)]
    if theme is not None:
        _set_theme(ax, palette)
    if drawn.dim == 1:
        _draw_line(ax, drawn, color_by, palette)
    else:
        content = picture(drawn, color_by, decision_boundary=decision_boundary)
        _draw_plane(ax, content, palette)
        _set_plane(ax, drawn, view)
        _add_legend(ax, content, palette)
    if points is not None:
        _mark(ax, coordinates(points, drawn), labels, palette)
    ax.set_title(_title(drawn.count) + (" in view" if partly else ""))
    return ax


def _drawable(
    source: lr.Regions | lr.Network,
    domain: lr.Domain | None,
    view: Limits | None,
    options: dict[str, Any],
) -> tuple[lr.Regions, bool]:
    """Return bounded regions of dimension 1 or 2, and whether they are only those in a view."""
    import linear_regions as lr

    def in_view(limits: Limits) -> lr.Regions:
        found: lr.Regions = lr.regions(net, clip_to_view(where, net.input_shape, limits), **options)
        return found

    where: lr.Domain
    if isinstance(source, lr.Network):
        net, where = source, lr.Space() if domain is None else domain
        found = lr.regions(net, where, **options) if view is None else in_view(view)
    elif isinstance(source, lr.Regions):
        if domain is not None:
            raise InvalidInput("domain: regions carry their own domain; give it with a network")
        net, where = source.network, source.domain
        found = source if view is None else in_view(view)
    else:
        raise TypeError(f"expected Regions or a Network, got {type(source).__name__}")
    if found.dim not in (1, 2):
        raise Unsupported(
            f"plot draws domains of dimension 1 and 2, got {found.dim}; take a plane of inputs, "
            "for example Slice.through(three_points), or a Segment"
        )
    if not len(found):
        raise InvalidInput("there are no regions to draw: raise limit or time_limit")
    if found.bounded.all():
        return found, view is not None
    return in_view(default_view(found.vertices)), True


def _theme_of(ax: Axes) -> Literal["light", "dark"]:
    from matplotlib.colors import to_rgba

    red, green, blue, opacity = to_rgba(ax.get_facecolor())
    if opacity < 0.5:
        red, green, blue, _ = to_rgba(ax.figure.get_facecolor())
    return "dark" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.5 else "light"


def _set_theme(ax: Axes, palette: Palette) -> None:
    ax.figure.set_facecolor(palette.paper)
    ax.set_facecolor(palette.paper)
    ax.tick_params(colors=palette.ink, which="both")
    for spine in ax.spines.values():
        spine.set_color(palette.ink)
    for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
        text.set_color(palette.ink)


def _draw_plane(ax: Axes, content: Picture, palette: Palette) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    many = len(content.polygons) > _OUTLINED
    style: dict[str, Any] = {"rasterized": many}
    if content.numbers is None:
        style["facecolors"] = content.colors(palette)
    if many:  # lines of the polygon's own colour close the seams that smoothing leaves
        style |= {"edgecolors": "face", "linewidths": 0.2}
    else:
        style |= {"edgecolors": palette.paper, "linewidths": 0.5}
    patches = PolyCollection(content.polygons, **style)
    if content.numbers is not None:
        patches.set_array(content.numbers)
    ax.add_collection(patches)
    if content.segments:
        lines = LineCollection(
            content.segments, colors=palette.ink, linewidths=1.6, capstyle="round"
        )
        lines.set_label("decision boundary")
        ax.add_collection(lines)


def _add_legend(ax: Axes, content: Picture, palette: Palette) -> None:
    from matplotlib.patches import Patch

    entries = content.legend(palette)
    if not 1 < len(entries) <= _MOST_IN_LEGEND:
        return
    handles = [Patch(facecolor=color, label=str(label)) for label, color in entries]
    # Beside the axes: nothing of the picture is covered, and no place has to be searched.
    ax.legend(
        handles=handles,
        title="class",
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        labelcolor=palette.ink,
    ).get_title().set_color(palette.ink)


def _set_plane(ax: Axes, regions: lr.Regions, view: Limits | None) -> None:
    """Set limits, labels and a scale in which lengths along the two axes compare."""
    import linear_regions as lr

    low, high = regions.vertices[:, :2].min(axis=0), regions.vertices[:, :2].max(axis=0)
    limits = view or tuple(zip(low.tolist(), high.tolist(), strict=True))
    ax.set_xlim(*limits[0])
    ax.set_ylim(*limits[1])
    domain, stretch = regions.domain, 1.0
    if isinstance(domain, lr.Slice):
        lengths = np.linalg.norm(domain.directions.reshape(len(domain.directions), -1), axis=1)
        stretch = float(lengths[1] / lengths[0]) if len(lengths) == 2 else 1.0
    shape = stretch * (limits[1][1] - limits[1][0]) / (limits[0][1] - limits[0][0])
    # A picture four times as long as high would be all margin: then each axis has its own scale.
    ax.set_aspect(stretch if 0.25 <= shape <= 4.0 else "auto")
    names = _axis_names(domain)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])


def _axis_names(domain: lr.Domain) -> list[str]:
    import linear_regions as lr

    if isinstance(domain, lr.Box) and domain.ambient_dim is not None:
        return [f"$x_{{{i + 1}}}$" for i in domain.free]
    if isinstance(domain, (lr.Box, lr.Polytope, lr.Space)):
        return ["$x_1$", "$x_2$"]
    return ["$t_1$", "$t_2$"] if domain.dim == 2 else ["$t$"]


def _draw_line(
    ax: Axes, regions: lr.Regions, color_by: str | npt.ArrayLike, palette: Palette
) -> None:
    """Draw a band per region and the outputs over it."""
    from matplotlib.collections import LineCollection, PolyCollection

    content = line_picture(regions, color_by, palette)
    bands = [np.array([[a, 0.0], [b, 0.0], [b, 1.0], [a, 1.0]]) for a, b in content.ends]
    patches = PolyCollection(
        bands,
        facecolors=content.colors,
        edgecolors="face",
        linewidths=0.2,
        transform=ax.get_xaxis_transform(),
    )
    if content.numbers is not None:
        patches.set_array(content.numbers)
    ax.add_collection(patches, autolim=False)
    x = content.ends.reshape(-1)
    curves = [np.stack([x, y.reshape(-1)], axis=1) for y in content.outputs]
    ax.add_collection(LineCollection(curves, colors=palette.ink, linewidths=1.2))
    ax.set_xlim(float(x.min()), float(x.max()))
    ax.autoscale_view(scalex=False)
    ax.set_xlabel(_axis_names(regions.domain)[0])
    ax.set_ylabel("outputs" if len(curves) > 1 else "output")


def coordinates(points: npt.ArrayLike, regions: lr.Regions) -> FloatArray:
    """Return points in coordinates of the domain, projected where inputs are given."""
    import linear_regions as lr

    array = np.asarray(points, dtype=np.float64)
    dim, net, domain = regions.dim, regions.network, regions.domain
    if array.ndim == 2 and array.shape[1] == dim:
        return array
    if isinstance(domain, lr.Slice) and len(domain.directions) == dim:
        origin, basis = domain.origin.reshape(-1), domain.directions.reshape(dim, -1)
    elif isinstance(domain, lr.Segment):
        origin = domain.a.reshape(-1)
        basis = (domain.b.reshape(-1) - origin)[None]
    else:
        raise InvalidInput(f"points must have shape (k, {dim}) for this domain, got {array.shape}")
    inputs, _ = net.as_points(array)
    solution = np.linalg.lstsq(basis.T, (inputs - origin).T, rcond=None)[0]
    return np.asarray(solution.T, dtype=np.float64)


def _mark(ax: Axes, where: FloatArray, labels: Iterable[object] | None, palette: Palette) -> None:
    from matplotlib.patheffects import withStroke

    texts = [""] * len(where) if labels is None else [str(label) for label in labels]
    if len(texts) != len(where):
        raise InvalidInput(f"labels must be {len(where)}, one per point, got {len(texts)}")
    style: dict[str, Any] = {"color": palette.paper, "edgecolors": palette.ink, "zorder": 3}
    if where.shape[1] == 1:
        ax.scatter(where[:, 0], [0.5] * len(where), transform=ax.get_xaxis_transform(), **style)
        return
    ax.scatter(where[:, 0], where[:, 1], s=36, linewidths=1.6, **style)
    for (x, y), text in zip(where, texts, strict=True):
        label = ax.annotate(
            text, (x, y), (7, 6), textcoords="offset points", color=palette.ink, fontweight="bold"
        )
        label.set_path_effects([withStroke(linewidth=3, foreground=palette.paper)])


def _title(count: lr.RegionCount) -> str:
    """Return what a reader of the picture alone must know: how many, of what, how sure."""
    number = f"{count.value:,} {count.what} region{'' if count.value == 1 else 's'}"
    if count.status != "complete":
        return f"the first {number} ({count.status.replace('_', ' ')})"
    return number if count.kind == "exact" else f"{number} ({count.kind})"
