"""The base class of the interactive views: widget, HTML fragment, page, and messages.

Notebook: 00_start_here
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mer_kit.checks import MerKitError, check_choice
from mer_kit.plots.names import escaped
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.views import html_fragments, js

#: The reply to a message and the bytes that are sent with it.
Reply = tuple[dict[str, Any], list[bytes]]


class View:
    """Base class of the views.

    A view provides `data`, `still` and `page_title`, and one method `_on_<kind>(message)` for each
    kind of message that its browser side may send. Views whose page carries more than `data`, such
    as sounds, override `page_data`.
    """

    #: The browser module in `views/js` that draws the view.
    module: ClassVar[str]

    @property
    def page_title(self) -> str:
        """The heading of a page that shows this view."""
        raise NotImplementedError

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
        reply, buffers = getattr(self, f"_on_{kind}")(message)
        return {"kind": kind, **reply}, buffers

    def answer(self, message: Any) -> Reply:
        """Return `reply(message)`, or the kind "sorry" with `text` (why) and `to` (the message)."""
        try:
            return self.reply(message)
        except MerKitError as error:
            return {"kind": "sorry", "text": str(error), "to": message}, []

    def widget(self) -> Any:
        """Return the anywidget view for a notebook with a kernel, which `answer` serves."""
        return js.widget(self.module, self.data(), answer=self.answer)

    def fragment(self, *args: Any, **options: Any) -> str:
        """Return HTML for a page without a kernel: a still picture that a script replaces.

        Arguments are those of `page_data`.
        """
        data = self.page_data(*args, **options)
        return html_fragments.fragment(self.module, as_text(data), self.still(data))

    def to_html(self, path: str | Path | None = None, **options: Any) -> str:
        """Return the view as one self-contained page, and write it to `path` if one is given.

        Options are those of `page_data`.
        """
        page = html_fragments.page(self.page_title, self.fragment(**options))
        return html_fragments.kept(page, path)


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
    if isinstance(value, list):
        return [as_text(one) for one in value]
    return value


def still_picture(picture: EmbeddedFigure, alt: str, sentence: str = "") -> str:
    """Return a figure as an image element with its description, followed by a sentence."""
    source = f"data:image/png;base64,{html_fragments.text(picture.png())}"
    image = f'<img src="{source}" alt="{escaped(alt)}">'
    if sentence:
        return f"{image}<p>{escaped(sentence)}</p>"
    return image
