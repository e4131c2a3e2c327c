"""The browser code of the interactive views: small ES modules and style sheets, joined as text.

The view "player" has player.mjs and player.css here; larger views have further files whose names
begin with theirs, such as noise_lab_pictures.mjs. A view's module exports the function `mount(el,
data, talk)`, which builds the view in an element from plain data and returns a function that
removes it. The same text serves a widget (anywidget) and a page without a kernel
(`views.html_fragments`).
"""

import functools
import json
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


@functools.cache
def widget_class(name: str, sides: tuple[type[traitlets.HasTraits], ...]) -> Any:
    """Return a view's class for a notebook with a kernel, an anywidget with `sides` as bases.

    It is made when first asked for, since a terminal needs no widget.
    """
    import anywidget

    own = {"_esm": module(name), "_css": styles(name), "data": traitlets.Dict().tag(sync=True)}
    title = name.title().replace("_", "")
    return type(f"{title}Widget", (*sides, anywidget.AnyWidget), own)


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
