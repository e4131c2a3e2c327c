"""One sentence for each reason why a sound file cannot be used.

Notebook: 01_segmentation
"""

from pathlib import Path

from mer_kit.records import Problem
from mer_kit.signal import midi
from mer_kit.signal.pieces import Unusable

#: Kind → what is wrong, and the next step.
SENTENCES: dict[str, tuple[str, str]] = {
    "missing_file": (
        "the audio file is missing, expected it at this path",
        "restore it or remove the clip from the list",
    ),
    "not_a_file": ("is a {detail}, expected an audio file", "correct the clip's path"),
    "unreadable_name": (
        "has a name that is not valid text on this system",
        "rename it with plain letters",
    ),
    "unreadable_file": ("cannot be opened ({detail})", "check its path and permissions"),
    "empty_file": ("has zero bytes, expected audio", "copy or download it again"),
    "no_samples": ("holds no samples, expected music", "export it again or drop the clip"),
    "truncated_file": ("is truncated ({detail})", "copy or download it again"),
    "more_sound": (
        "states {detail}",
        "export it again, so that its header states how long it is",
    ),
    "many_formats": (
        "changes its sample rate, channels or bit rate {detail}, expected one format",
        "convert it to WAV or FLAC",
    ),
    "no_decoder": (
        "is {detail}, which needs ffmpeg, and ffmpeg was not found here",
        "install ffmpeg, or convert it to WAV or FLAC",
    ),
    "not_audio": (
        "is not audio that can be decoded ({detail})",
        "check what the file is, or convert it to WAV or MP3",
    ),
    "silence": ("is silent {detail}, expected music", "replace the file or drop the clip"),
    "not_midi": (
        "is not MIDI that can be rendered ({detail})",
        "check what the file is, or export it again",
    ),
    "no_synthesiser": (
        "is MIDI, and fluidsynth or a sound font was not found here",
        midi.NEXT_STEP,
    ),
    "not_finite": (
        "holds NaN or infinite samples, expected finite ones",
        "export it again as 16-bit WAV",
    ),
    "too_loud": (
        "has samples up to {detail}, expected −1 to 1",
        "divide them by 32768 if they are scaled as integers, or export it again as 16-bit WAV",
    ),
}


def problem(error: Unusable, path: str | Path) -> Problem:
    """Return the Problem that describes why a file cannot be used.

    Examples
    --------
    >>> print(problem(Unusable("not_a_file", "folder"), "songs"))
    songs: is a folder, expected an audio file: correct the clip's path
    """
    what, next_step = SENTENCES[error.kind]
    return Problem(error.kind, printable(Path(path)), what.format(detail=error.detail), next_step)


def printable(path: str | Path) -> str:
    r"""Return a path as text that can be printed and stored, whatever bytes its name contains.

    Examples
    --------
    >>> printable("caf\udce9.wav")
    'caf\\udce9.wav'
    """
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
