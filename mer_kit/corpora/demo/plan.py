"""The plan of the demo corpus: label, artist and sections of each clip, before it is composed."""

import itertools
from dataclasses import dataclass

import numpy as np

from mer_kit.records import TASKS
from mer_kit.seeding import numpy_generator

QUADRANTS = TASKS["quadrant"]
#: The quadrants that differ in valence, in arousal and in both; how often sections drift there.
ELSEWHERE = {
    "Q1": ("Q2", "Q4", "Q3"),
    "Q2": ("Q1", "Q3", "Q4"),
    "Q3": ("Q4", "Q2", "Q1"),
    "Q4": ("Q3", "Q1", "Q2"),
}
ELSEWHERE_SHARE = (0.4, 0.4, 0.2)
ARTISTS = (
    "Ada Quill", "Birchfield", "Copper Lane", "Delphine Moor", "Eleven Lamps", "Fen & Hollow",
    "Gus Tamarind", "Hælstrom", "Ivory Kites", "Juno Bracken", "Kestrel Road", "Lumen Club",
    "Márta Voss", "North Ferry", "Odile Crane", "Paper Tigers' Ball", "Quartz Garden",
    "Rosa Delmonte", "Salt Meridian", "Tin Parade", "Ulla Winterberg", "Velvet Spoke",
    "Wren Harlow", "Xylo Ensemble", "Yonder Pines", "Zoë Marchetti",
)  # fmt: skip
_FIRST = (
    "Amber", "Broken", "Distant", "Early", "Falling", "Gentle", "Hollow", "Iron", "Late", "Open",
    "Silver",
)  # fmt: skip
_SECOND = (
    "Bridges", "Corners", "Doors", "Engines", "Harbour", "Lanterns", "Morning", "Rivers", "Signals",
    "Windows",
)  # fmt: skip
#: (sample rate in Hz, channels) by clip number modulo 16, else 22,050 Hz mono; 4Q's rates vary too.
_FORMATS = {3: (44100, 2), 7: (32000, 1), 11: (16000, 1)}


@dataclass(frozen=True)
class Section:
    """A part of a clip that is composed in one quadrant."""

    start_s: float
    end_s: float
    quadrant: str


@dataclass(frozen=True)
class ClipPlan:
    """The plan of one clip; `format` is (sample rate in Hz, channels)."""

    clip_id: str
    quadrant: str
    artist: str
    title: str
    format: tuple[int, int]
    sections: tuple[Section, ...]

    @property
    def kept_share(self) -> float:
        """The fraction of seconds in which the label is true."""
        return (
            sum(
                section.end_s - section.start_s
                for section in self.sections
                if section.quadrant == self.quadrant
            )
            / self.sections[-1].end_s
        )


def make_plan(*, clips: int, seconds: float, drift: float, seed: int) -> tuple[ClipPlan, ...]:
    """Return the plan of every clip, sorted by id.

    Labels are balanced, artists are spread over all labels, and a fraction `drift` of the seconds
    is in another quadrant. Sections begin on whole seconds; a clip has its label for more than half
    of them.

    Examples
    --------
    >>> plan = make_plan(clips=8, seconds=20.0, drift=0.2, seed=0)
    >>> [sum(clip.quadrant == quadrant for clip in plan) for quadrant in QUADRANTS]
    [2, 2, 2, 2]
    >>> round(1 - sum(clip.kept_share for clip in plan) / len(plan), 2)
    0.2
    """
    rng = numpy_generator(seed, "demo/plan")
    quadrants = rng.permutation(np.repeat(QUADRANTS, clips // 4))
    cast = rng.permutation(np.resize(ARTISTS[: max(2, clips // 3)], clips))
    titles = rng.permutation([f"{first} {second}" for first in _FIRST for second in _SECOND])
    leaving = _leaving_seconds(clips, int(seconds), drift, rng)
    return tuple(
        ClipPlan(
            f"MT9{number + 1:09d}", quadrant, str(cast[number]), str(titles[number % len(titles)]),
            _FORMATS.get(number % 16, (22050, 1)),
            _sections(quadrant, seconds, leaving[number], rng),
        )
        for number, quadrant in enumerate(map(str, quadrants))
    )  # fmt: skip


def _leaving_seconds(
    clips: int, seconds: int, drift: float, rng: np.random.Generator
) -> list[list[int]]:
    """Return per clip the lengths of its drifting sections, in total drift · clips · seconds."""
    budget = round(drift * clips * seconds)
    at_most = (seconds - 1) // 2  # a majority keeps the label
    leaving: list[list[int]] = [[] for _ in range(clips)]
    for _ in range(at_most):
        for clip in rng.permutation(clips):
            length = min(int(rng.integers(3, 6)), at_most - sum(leaving[clip]), budget)
            if length >= min(2, budget) > 0:
                leaving[clip].append(length)
                budget -= length
    return leaving


def _sections(
    quadrant: str, seconds: float, leaving: list[int], rng: np.random.Generator
) -> tuple[Section, ...]:
    """Return a clip's sections: 3 to 6 s in its own quadrant, with drifting ones in between."""
    staying = int(seconds) - sum(leaving)
    lengths = []
    while staying > 0:
        length = staying
        if staying > 6:
            length = min(int(rng.integers(3, 7)), staying - 3)
        lengths.append((length, quadrant))
        staying -= length
    for length in leaving:
        other = str(rng.choice(ELSEWHERE[quadrant], p=ELSEWHERE_SHARE))
        lengths.insert(int(rng.integers(0, len(lengths) + 1)), (length, other))
    ends = np.cumsum([length for length, _ in lengths]).astype(float)
    ends[-1] = seconds
    return tuple(
        Section(float(start), float(end), label)
        for (start, end), (_, label) in zip(itertools.pairwise([0.0, *ends]), lengths, strict=True)
    )
