"""The base class of the interactive views: widget, HTML fragment, page, and messages.

Notebook: 00_start_here
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import matplotlib as mpl
import numpy as np
import traitlets

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.plots.curve import readable_on
from mer_kit.plots.names import escaped
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.plots.segments import MEL_RANGE_DB
from mer_kit.plots.style import looks
from mer_kit.records import EMOTIONS, Clip
from mer_kit.views import html_fragments, js

#: The reply to a message and the bytes that are sent with it.
Reply = tuple[dict[str, Any], list[bytes]]
#: matplotlib's line styles as SVG's dashes.
DASHES = {"-": "", "--": "8 5", "-.": "9 4 2 4", ":": "2 3.5"}


class Position(traitlets.Int[int, Any]):
    """A trait that holds a position: a whole number from 0, below `length(owner)`."""

    def __init__(self, length: Callable[[Any], int]) -> None:
        super().__init__(0)
        self.length = length

    def validate(self, obj: Any, value: Any) -> int:
        """Return the position if the owner has it."""
        last = self.length(obj) - 1
        return int(check_range(str(self.name), super().validate(obj, value), 0, last, whole=True))


class View:
    """Base class of the views.

    A view provides `data`, `still` and `page_title`, and one method `_on_<kind>(message)` for each
    kind of message that its browser side may send; it returns the reply, or None for an empty one.
    Views whose page carries more than `data`, such as sounds, override `page_data`.
    """

    #: The browser module in `views/js` that draws the view.
    module: ClassVar[str]
    #: Classes with the traits, tagged sync, that browser and kernel share beside `data`.
    sides: ClassVar[tuple[type[traitlets.HasTraits], ...]] = ()
    #: The heading of a page that shows this view.
    page_title: str

    def data(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Return what the view is built from: plain data, and bytes for arrays and sounds."""
        raise NotImplementedError

    def page_data(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Return `data` with everything that a page without a kernel needs in addition."""
        return self.data(*args, **options)

    def still(self, data: Mapping[str, Any]) -> str:
        """Return HTML that is complete without a script: a picture and a sentence."""
        raise NotImplementedError

    def reply(self, message: Any) -> Reply:
        """Return the reply to one message of the browser and the bytes that are sent with it.

        Raises
        ------
        MerKitError
            If the message is not an object of a known kind, or cannot be answered.
        """
        if not isinstance(message, Mapping):
            raise MerKitError(
                f"message is {type(message).__name__}, expected an object with a kind: "
                "reload the view"
            )
        kinds = [name[4:] for name in dir(self) if name.startswith("_on_")]
        kind = check_choice("kind", message.get("kind"), kinds)
        reply, buffers = getattr(self, f"_on_{kind}")(message) or ({}, [])
        return {"kind": kind, **reply}, buffers

    def answer(self, message: Any) -> Reply:
        """Return `reply(message)`, or the kind "sorry" with `text` (why) and `to` (the message)."""
        try:
            return self.reply(message)
        except MerKitError as error:
            return {"kind": "sorry", "text": str(error), "to": message}, []

    def widget(self, **values: Any) -> Any:
        """Return the anywidget view for a notebook with a kernel, which `answer` serves.

        Parameters
        ----------
        values : the first values of the traits in `sides`
        """
        made = js.widget_class(self.module, self.sides)(data=self.data(), **values)
        made.on_msg(self._hear)
        return made

    def _hear(self, view: Any, message: Any, _: Any) -> None:
        reply, buffers = self.answer(message)
        view.send(reply, buffers=buffers)

    def fragment(self, *args: Any, **options: Any) -> str:
        """Return HTML for a page without a kernel: a still picture that a script replaces.

        Arguments are those of `page_data`.
        """
        data = self.page_data(*args, **options)
        return html_fragments.fragment(self.module, as_text(data), self.still(data))

    def to_html(self, path: str | Path | None = None, *, note: str = "", **options: Any) -> str:
        """Return the view as one self-contained page, and write it to `path` if one is given.

        `note` is text below the view, one paragraph per line. Options are those of `page_data`.
        """
        lines = [f"<p>{escaped(line)}</p>" for line in note.splitlines() if line.strip()]
        body = f"{self.fragment(**options)}\n{''.join(lines)}"
        page = html_fragments.page(self.page_title, body)
        if path is not None:
            html_fragments.write_page(Path(path), page)
        return page


def as_text(value: Any) -> Any:
    """Return plain data with all bytes in it, at any depth, as base64 text.

    Examples
    --------
    >>> as_text({"name": "a", "sounds": [b"mer"]})
    {'name': 'a', 'sounds': ['bWVy']}
    """
    if isinstance(value, bytes):
        return html_fragments.text(value)
    if isinstance(value, Mapping):
        return {name: as_text(one) for name, one in value.items()}
    return [as_text(one) for one in value] if isinstance(value, list) else value


def still_picture(picture: EmbeddedFigure, alt: str, sentence: str) -> str:
    """Return a figure as an image element with its description, followed by a sentence."""
    return f"{picture.html(alt)}<p>{escaped(sentence)}</p>"


def class_entries(names: Sequence[str]) -> list[dict[str, str]]:
    """Return name, emotion, colour, colour of a text on it, and SVG dashes of each class.

    Examples
    --------
    >>> class_entries(["Q2"])
    [{'name': 'Q2', 'word': 'angry', 'colour': '#e42536', 'ink': '#000', 'dash': '8 5'}]
    """
    inks = {"black": "#000", "white": "#fff"}
    return [
        {
            "name": name,
            "word": EMOTIONS.get(name, ""),
            "colour": colour,
            "ink": inks[readable_on(colour)],
            "dash": DASHES[line],
        }
        for name, (colour, line) in looks(names).items()
    ]


def credit(clip: Clip) -> str:
    """Return a clip's artist and title, as far as they are known."""
    return " – ".join(text for text in (clip.artist, clip.title) if text)


def levels(mel: np.ndarray) -> np.ndarray:
    """Return a log-mel in dB as uint8 of the same shape: 0 is −60 dB, 255 is 30 dB."""
    low, high = MEL_RANGE_DB
    shares = (np.asarray(mel, dtype=np.float32) - low) / (high - low)
    return np.asarray(np.rint(255 * shares.clip(0, 1)), dtype=np.uint8)


def palette() -> bytes:
    """Return the colours of the 256 levels of a log-mel, three bytes each."""
    colours = mpl.colormaps["magma"](np.arange(256))[:, :3]
    return bytes(np.rint(255 * colours).astype(np.uint8).tobytes())
