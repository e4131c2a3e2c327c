"""Cut clips into training segments, which start every second and inherit their clip's label.

Notebook: 01_segmentation
"""

from collections.abc import Sequence

import numpy as np

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.records import Problem, SegmentIndex

#: Seconds by which a segment may exceed its clip, so that 0.1 + 0.2 still fits into 0.3.
TOLERANCE_SECONDS = 1e-9
#: 22,050 samples per second, one frame every 512 samples.
LOGMEL_FRAMES_PER_SECOND = 22050 / 512
#: Seconds of a segment that is a whole clip, and what people type for it.
WHOLE, CLIP = float("inf"), "clip"
#: What a whole clip that is shorter than max_seconds is filled up with.
PADDINGS: dict[str, str] = {
    "none": "nothing: every clip has its own length",
    "zero": "silence",
    "repeat": "the clip again, from its beginning",
}
#: P: the segment durations that the paper compares, in seconds.
DURATIONS = (1, 2, 3, 4, 5)


def count(
    duration_s: float,
    segment_seconds: float,
    *,
    every_seconds: float = 1.0,
    max_seconds: float | None = 30.0,
) -> int:
    """Return the number of segments of one clip: floor((usable − segment) / every) + 1, or 0.

    The usable duration is that of the clip, at most `max_seconds` (None: no limit). P: segments
    start 1 s apart, a tail shorter than a segment is dropped, nothing is padded. D: 30 s, because
    the counts in the paper's table 1 fit only clips cut there.

    Raises
    ------
    MerKitError
        If a duration or step is not a positive number, or `max_seconds` is less than one segment.

    Examples
    --------
    >>> [count(30.1, seconds) for seconds in (1, 2, 3, 4, 5)]
    [30, 29, 28, 27, 26]
    >>> count(2.4, 3)
    0
    """
    check_range("duration_s", duration_s, 0)
    _check_settings(segment_seconds, every_seconds, max_seconds)
    usable = min(duration_s, max_seconds or np.inf)
    return max(int(np.floor((usable - segment_seconds + TOLERANCE_SECONDS) / every_seconds)) + 1, 0)


def index(
    durations_s: Sequence[float] | np.ndarray,
    segment_seconds: float,
    *,
    every_seconds: float = 1.0,
    max_seconds: float | None = 30.0,
    frames_per_second: float = LOGMEL_FRAMES_PER_SECOND,
    clip_ids: Sequence[str] | None = None,
    on_bad_clip: str = "stop",
    padding: str = "none",
) -> SegmentIndex:
    """Return the segments of all clips, ordered by clip, then by start.

    Segment s of a clip starts at s · `every_seconds`; its first frame is
    round(start_s · `frames_per_second`). Every segment has
    round(segment_seconds · `frames_per_second`) frames, all within its clip. The frame rate of a
    store is `store.frontend.frames_per_second`; the default is that of the log-mel. A clip shorter
    than one segment is an error, or has no rows if `on_bad_clip` is "skip" (`too_short` lists such
    clips).

    With `segment_seconds` WHOLE, each clip is one segment, up to `max_seconds`; a shorter one is
    filled up to `max_seconds` as `padding` says. Then `n_frames` is that of the longest.

    Raises
    ------
    MerKitError
        If a setting is out of range, or a clip is too short and `on_bad_clip` is "stop".

    Examples
    --------
    >>> rows = index([4.0, 3.5], 3.0)
    >>> rows.clip.tolist(), rows.start_s.tolist(), rows.start_frame.tolist(), rows.n_frames
    ([0, 0, 1], [0.0, 1.0, 0.0], [0, 43, 0], 129)
    """
    check_choice("on_bad_clip", on_bad_clip, ("stop", "skip"))
    check_range("frames_per_second", frames_per_second, 0, low_open=True)
    if segment_seconds == WHOLE:
        return _whole_clips(np.asarray(durations_s), max_seconds, frames_per_second, padding)
    short = too_short(durations_s, segment_seconds, max_seconds=max_seconds, clip_ids=clip_ids)
    if short and on_bad_clip == "stop":
        more = ""
        if len(short) > 1:
            more = f" ({len(short)} such clips in all)"
        raise MerKitError(f"{short[0].where} {short[0].what}{more}: {short[0].next_step}")
    n_segments = np.array(
        [
            count(float(d), segment_seconds, every_seconds=every_seconds, max_seconds=max_seconds)
            for d in durations_s
        ],
        dtype=np.int64,
    )
    n_frames = round(segment_seconds * frames_per_second)
    if n_frames < 1:
        raise MerKitError(
            f"segment_seconds is {segment_seconds:g}, expected at least one frame of "
            f"{1 / frames_per_second:.3g} s: raise segment_seconds"
        )
    clip = np.repeat(np.arange(len(n_segments), dtype=np.int64), n_segments)
    first_row = np.repeat(np.cumsum(n_segments) - n_segments, n_segments)
    start_s = (np.arange(len(clip), dtype=np.int64) - first_row) * float(every_seconds)
    start_frame = np.rint(start_s * frames_per_second).astype(np.int64)
    # No segment exceeds its clip: round(a) + round(b) ≤ 1 + floor(a + b), the clip's frames.
    return SegmentIndex(
        clip, start_s, start_frame, n_frames, len(n_segments), float(segment_seconds)
    )


def _whole_clips(
    durations_s: np.ndarray, max_seconds: float | None, frames_per_second: float, padding: str
) -> SegmentIndex:
    """Return the index in which each clip is one segment."""
    length_s = np.minimum(durations_s.astype(np.float64), max_seconds or np.inf)
    seconds = float(length_s.max(initial=0.0))
    if padding != "none" and max_seconds is not None:
        seconds = max_seconds
    rows = np.arange(len(length_s), dtype=np.int64)
    return SegmentIndex(
        clip=rows,
        start_s=np.zeros_like(length_s),
        start_frame=np.zeros_like(rows),
        n_frames=round(seconds * frames_per_second),
        n_clips=len(rows),
        segment_seconds=WHOLE,
        length_s=length_s,
        padding=padding,
    )


def pad(frames: np.ndarray, n_frames: int, padding: str, silence: np.ndarray) -> np.ndarray:
    """Return the first `n_frames` of a clip's frames [n, d], filled up if there are fewer.

    Parameters
    ----------
    padding : a name in PADDINGS
    silence : [d], a frame of silence

    Examples
    --------
    >>> clip = np.array([[1.0], [2.0]])
    >>> [pad(clip, 5, how, np.array([-9.0])).ravel().tolist() for how in PADDINGS]
    [[1.0, 2.0], [1.0, 2.0, -9.0, -9.0, -9.0], [1.0, 2.0, 1.0, 2.0, 1.0]]
    """
    frames = frames[:n_frames]
    missing = n_frames - len(frames)
    match padding:
        case "zero":
            return np.concatenate([frames, np.tile(silence, (missing, 1)).astype(frames.dtype)])
        case "repeat":
            return np.resize(frames, (n_frames, frames.shape[1]))
    return frames


def too_short(
    durations_s: Sequence[float] | np.ndarray,
    segment_seconds: float,
    *,
    max_seconds: float | None = 30.0,
    clip_ids: Sequence[str] | None = None,
) -> tuple[Problem, ...]:
    """Return one Problem for each clip that is shorter than one segment, in order.

    Examples
    --------
    >>> print(*too_short([9.0, 2.4], 3, clip_ids=["7", "181"]))
    clip '181': lasts 2.4 s, shorter than one 3 s segment: lower segment_seconds or drop the clip
    """
    if segment_seconds == WHOLE:
        return ()
    _check_settings(segment_seconds, 1.0, max_seconds)
    if clip_ids is not None and len(clip_ids) != len(durations_s):
        raise MerKitError(
            f"clip_ids has {len(clip_ids)} entries, expected {len(durations_s)}: "
            "pass one id per clip"
        )
    names = clip_ids or list(map(str, range(len(durations_s))))
    return tuple(
        Problem(
            "too_short",
            f"clip {name!r}",
            f"lasts {float(seconds):.4g} s, shorter than one {segment_seconds:g} s segment",
            "lower segment_seconds or drop the clip",
            name,
        )
        for name, seconds in zip(names, durations_s, strict=True)
        if count(float(seconds), segment_seconds, max_seconds=max_seconds) == 0
    )


def _check_settings(
    segment_seconds: float, every_seconds: float, max_seconds: float | None
) -> None:
    """Raise a MerKitError if the three settings allow no segment."""
    check_range("segment_seconds", segment_seconds, 0, low_open=True)
    check_range("every_seconds", every_seconds, 0, low_open=True)
    if max_seconds is not None:
        check_range("max_seconds", max_seconds, 0, low_open=True)
        if max_seconds + TOLERANCE_SECONDS < segment_seconds:
            raise MerKitError(
                f"max_seconds is {max_seconds:g}, shorter than one {segment_seconds:g} s segment: "
                "lower segment_seconds or raise max_seconds"
            )
