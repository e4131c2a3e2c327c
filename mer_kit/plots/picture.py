"""What the interactive views share: a picture that pyplot does not know."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mer_kit.plots import style


class EmbeddedFigure:
    """A figure that belongs to a view: pyplot does not know it, so it is never shown or left open by accident."""

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
        """Return the picture as PNG bytes; `level` of compression is 1 to 9."""
        buffer = io.BytesIO()
        style.render(
            self.figure, buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": level}
        )
        return buffer.getvalue()
