"""Figures for the interactive views, independent of pyplot."""

import base64
import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mer_kit.plots import style
from mer_kit.plots.names import escaped


class EmbeddedFigure:
    """A figure that belongs to a view: pyplot neither shows it nor keeps it open.

    Attributes
    ----------
    figure : the matplotlib figure, in mer-kit's style
    axes : its Axes, row by row

    Examples
    --------
    >>> embedded = EmbeddedFigure(1, 2, size=(4, 2))
    >>> len(embedded.axes), embedded.html("two empty plots")[:32]
    (2, '<img src="data:image/png;base64,')
    """

    def __init__(
        self, rows: int, columns: int, *, size: tuple[float, float], **options: Any
    ) -> None:
        style.use()
        self.figure = Figure(figsize=size, dpi=80, layout="constrained")
        FigureCanvasAgg(self.figure)
        self.axes: list[Axes] = list(
            self.figure.subplots(rows, columns, squeeze=False, **options).flat
        )

    def png(self, *, dpi: int = 80, level: int = 1) -> bytes:
        """Return the figure as PNG bytes; `level` is the compression, 1 to 9."""
        buffer, options = io.BytesIO(), {"compress_level": level}
        style.render(self.figure, buffer, format="png", dpi=dpi, pil_kwargs=options)
        return buffer.getvalue()

    def html(self, alt: str, *, dpi: int = 80, level: int = 1) -> str:
        """Return the figure as an HTML image element that holds its PNG."""
        return png_html(self.png(dpi=dpi, level=level), alt)


def png_html(png: bytes, alt: str, *, css: str = "") -> str:
    """Return an HTML image element that holds a PNG, for pages that need no other file.

    Parameters
    ----------
    alt : what the image shows; escaped here
    css : content of the style attribute, "" for none

    Examples
    --------
    >>> png_html(b"PNG", "two < three")
    '<img src="data:image/png;base64,UE5H" alt="two &lt; three">'
    """
    encoded = base64.b64encode(png).decode("ascii")
    look = f' style="{escaped(css)}"' if css else ""
    return f'<img src="data:image/png;base64,{encoded}" alt="{escaped(alt)}"{look}>'
