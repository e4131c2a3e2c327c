"""The browser code of the interactive views: small ES modules and style sheets, joined as text.

The view "player" has player.mjs and player.css here; larger views have further files whose names
begin with theirs, such as noise_lab_pictures.mjs. A view's module exports the function `mount(el,
data, talk)`, which builds the view in an element from plain data and returns a function that
removes it. The same text serves a widget (anywidget) and a page without a kernel
(`views.html_fragments`).
"""

import functools
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import traitlets

#: The views that have a module here.
VIEWS = ("explorer", "inspector", "live", "noise_lab", "player", "playground")
#: The modules that are put before every view.
SHARED = ("common", "sound", "axes")


def module(name: str) -> str:
    """Return a view's ES module as one text: shared modules, further files, its own module.

    Examples
    --------
    >>> text = module("live")
    >>> "function createPlayer(" in text, "export const mount =" in text
    (True, True)
    """
    files = sorted(path.name for path in resources.files(__package__).iterdir())
    further = [file[:-4] for file in files if file.startswith(f"{name}_") and file.endswith(".mjs")]
    return "\n".join(_read(f"{part}.mjs") for part in (*SHARED, *further, name))


def styles(name: str) -> str:
    """Return a view's style sheet, preceded by the rules that all views share.

    Examples
    --------
    >>> ".mer-live" in styles("live")
    True
    """
    return f"{_read('common.css')}\n{_read(f'{name}.css')}"


def widget(
    name: str,
    data: dict[str, Any],
    *,
    sides: type[traitlets.HasTraits] | None,
    answer: Callable[[Any], tuple[dict[str, Any], list[bytes]]],
    **values: Any,
) -> Any:
    """Return a view for a notebook with a kernel, an anywidget.

    Parameters
    ----------
    name : a view
    data : what its `mount` takes
    sides : the traits that browser and kernel share beside `data`, tagged sync
    answer : what is called with a message of the browser; its reply and bytes are sent back
    values : those traits' first values
    """
    made = _widget_class(name, sides)(data=data, **values)

    def hear(view: Any, message: Any, _: Any) -> None:
        reply, buffers = answer(message)
        view.send(reply, buffers=buffers)

    made.on_msg(hear)
    return made


@functools.cache
def _widget_class(name: str, sides: type[traitlets.HasTraits] | None) -> Any:
    """Return a view's class; made when first asked for, since a terminal needs no widget."""
    import anywidget

    title = "".join(part.title() for part in name.split("_"))
    own = {"_esm": module(name), "_css": styles(name), "data": traitlets.Dict().tag(sync=True)}
    bases = (anywidget.AnyWidget,) if sides is None else (sides, anywidget.AnyWidget)
    return type(f"{title}Widget", bases, own)


def embedded(data: Any) -> str:
    """Return data as JSON that may stand inside a script element of a page.

    Examples
    --------
    >>> embedded({"title": "</script><b>"})
    '{"title": "\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    # Bytes of a file name that are no UTF-8 become text: \\udce9.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
