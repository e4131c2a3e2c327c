"""What the interactive views share: a picture that is redrawn in place, without a browser where a test asks for it."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mer_kit.show import style


class Picture:
    """A figure that belongs to a widget: pyplot does not know it, so it is never shown or left open by accident.

    The layout is found at the first drawing and kept, which makes later drawings fast enough for a slider.
    """

    def __init__(self, rows: int, columns: int, *, size: tuple[float, float], **options: Any) -> None:
        style.use()
        self.figure = Figure(figsize=size, dpi=80, layout="constrained")
        FigureCanvasAgg(self.figure)
        self.axes: list[Axes] = list(self.figure.subplots(rows, columns, squeeze=False, **options).flat)

    def clear(self) -> None:
        """Empty all axes."""
        for ax in self.axes:
            ax.clear()

    def settle(self) -> None:
        """Fix the layout as it is now."""
        if self.figure.get_layout_engine() is not None:
            self.figure.canvas.draw()
            self.figure.set_layout_engine("none")

    def png(self) -> bytes:
        """Return the picture as PNG bytes."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=80, pil_kwargs={"compress_level": 1})
        return buffer.getvalue()
