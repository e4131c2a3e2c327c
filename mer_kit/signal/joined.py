"""Several front-ends that pool, side by side: `musicnn+descriptors`.

Notebook: 01_segmentation
"""

import dataclasses
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.signal.frontend import BaseFrontend


class JoinedFrontend(BaseFrontend):
    """The features of several front-ends; each part has a store of its own."""

    members: tuple[str, ...]
    kinds: tuple[type[BaseFrontend], ...]

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        values = vars(self.s)
        self._parts = tuple(
            kind(
                kind.settings(**{f.name: values[f.name] for f in dataclasses.fields(kind.settings)})
            )
            for kind in self.kinds
        )
        self.sample_rate = self._parts[0].sample_rate
        self.frames_per_second = self._parts[0].frames_per_second
        named = zip(self.members, self._parts, strict=True)
        self.columns = tuple(f"{name}: {column}" for name, part in named for column in part.columns)

    @property
    def parts(self) -> tuple[BaseFrontend, ...]:
        """The front-ends that are joined."""
        return self._parts

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Raise an error: sample rates differ, so each part pools its own frames."""
        raise NotImplementedError("each part of a joined front-end pools its own frames")

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Raise an error: sample rates differ, so each part has frames of its own."""
        raise NotImplementedError("each part of a joined front-end has frames of its own")


def join(members: dict[str, type[BaseFrontend]]) -> type[BaseFrontend]:
    """Return the class of a joined front-end, whose settings are those of all parts by name.

    Raises
    ------
    MerKitError
        If a part does not pool, or if two parts have a setting of the same name.
    """
    fields: dict[str, tuple[str, Any, Any]] = {}
    for name, kind in members.items():
        if kind.pool is None:
            raise MerKitError(
                f"front-end {name} has frames, expected front-ends that pool where several are "
                "joined: leave it out, or take logmel_stats for log-mels"
            )
        for field in dataclasses.fields(kind.settings):
            if field.name in fields:
                raise MerKitError(
                    f"two of the front-ends {', '.join(members)} have a setting {field.name}, "
                    "expected different names: join others"
                )
            fields[field.name] = (field.name, field.type, dataclasses.field(default=field.default))
    settings = dataclasses.make_dataclass("Settings", fields.values(), frozen=True)
    own = {"settings": settings, "members": tuple(members), "kinds": tuple(members.values())}
    return type("Frontend", (JoinedFrontend,), own)
