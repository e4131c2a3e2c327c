"""An example of your own collection: demo clips under plain names with a table of ratings."""

import shutil
from pathlib import Path

import pandas as pd

from mer_kit import paths
from mer_kit.corpora import demo
from mer_kit.records import TASKS
from mer_kit.seeding import numpy_generator

#: The scale of the ratings.
SCALE = (1.0, 9.0)
#: Quadrant → centre of its ratings, (valence, arousal).
_CENTRE = {"Q1": (7.0, 7.0), "Q2": (3.0, 7.0), "Q3": (3.0, 3.0), "Q4": (7.0, 3.0)}


def make(
    cache: str | Path | None = None, *, clips: int = 24, seconds: float = 12.0, seed: int = 1
) -> Path:
    """Return a folder with audio, a table `clips.csv` of ratings, and ground truth.

    The table has the columns path, valence, arousal, artist and title. The folder is created once
    below the cache folder from a demo corpus with these options. Ratings are drawn around the
    quadrant's centre on a scale of 1 to 9; the ground truth is in `segment_truth.csv`.

    Raises
    ------
    MerKitError
        If the folder cannot be written.

    Notebook: 07_your_own_music

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as cache:
    ...     folder = make(cache, clips=4, seconds=8)
    ...     print((folder / "clips.csv").read_text().splitlines()[1])
    Silver Harbour 01.wav,6.8,7.2,Ada Quill,Silver Harbour
    """
    home = Path(cache or paths.cache_root())
    target = home / f"my_music-{clips}-{seconds:g}s-{seed}-v{demo.VERSION}"
    if (target / "clips.csv").is_file():
        return target
    source = demo.load(home, clips=clips, seconds=seconds, seed=seed)
    rng = numpy_generator(seed, "example ratings")
    rows = []
    names = {}
    with demo.building(target, "clips.csv", "the example collection") as made:
        for number, clip in enumerate(source.clips, start=1):
            names[clip.clip_id] = f"{clip.title or clip.clip_id} {number:02d}"
            path = f"{names[clip.clip_id]}{clip.path.suffix}"
            shutil.copyfile(clip.path, made / path)
            centre = _CENTRE[TASKS["quadrant"][clip.labels["quadrant"]]]
            valence, arousal = (round(float(c + rng.uniform(-1.5, 1.5)), 1) for c in centre)
            rows.append((path, valence, arousal, clip.artist, clip.title))
        columns = ["path", "valence", "arousal", "artist", "title"]
        pd.DataFrame(rows, columns=columns).to_csv(made / "clips.csv", index=False)
        truth = pd.DataFrame(source.truth).replace({"clip_id": names})
        truth.to_csv(made / "segment_truth.csv", index=False)
    return target
