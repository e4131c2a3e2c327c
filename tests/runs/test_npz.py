"""Evaluation passes are unpacked only where their sizes are plausible, and believed only where they fit each other."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mer_kit.checks import MerKitError
from mer_kit.runs import stored_arrays
from mer_kit.runs.run_folder import RunFolder

P = np.random.default_rng(0).dirichlet(np.ones(4), (3, 5)).astype(np.float16)
GOOD: dict[str, np.ndarray] = {
    "probabilities": P, "labels": np.array([0, 1, 2, 3, 0], np.int8), "clip": np.arange(5, dtype=np.int32),
    "start_s": np.arange(5, dtype=np.float32),
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "folds" / "0").mkdir(parents=True)
    return tmp_path / "folds" / "0" / "epochs.npz"


def read(file: Path) -> dict[str, np.ndarray]:
    return RunFolder(file.parents[2]).epochs(0)


def header(shape: str, kind: str = "<f2") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def members(file: Path, first: Callable[[zipfile.ZipFile], object]) -> None:
    """Write the members that nobody spoils, and `probabilities.npy` as `first` writes it."""
    np.savez_compressed(
        file, **{name: array for name, array in GOOD.items() if name != "probabilities"}
    )
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        first(archive)


def test_what_was_written_comes_back(file: Path) -> None:
    np.savez_compressed(file, **GOOD, later=np.ones(3))
    stored = read(file)
    assert set(stored) == set(GOOD)
    for name, array in GOOD.items():
        assert stored[name].dtype == array.dtype and stored[name].tobytes() == array.tobytes()


def test_objects_are_never_unpickled(file: Path) -> None:
    np.savez(file, **{**GOOD, "probabilities": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(
        MerKitError, match="epochs.npz in fold 0 cannot be read .*: train the fold again"
    ):
        read(file)


@pytest.mark.parametrize(
    "content",
    [
        header("(100000, 50000, 4)"),  # 40 GB in a hundred bytes
        header("(3, 5, 4)") + bytes(10),
        header("(3, 5, 4)") + bytes(121),
        header("(-3, -5, 4)") + bytes(120),
        header("(3, 5)") + bytes(30),
        header("(3, 5, 4)", "|O") + bytes(480),
        header("(3, 5, 4)", "<U4") + bytes(960),
        b"\x93NUMPY\x09\x00" + bytes(100),
        b"",
    ],
)
def test_headers_that_do_not_fit_their_bytes_are_refused(file: Path, content: bytes) -> None:
    members(file, lambda archive: archive.writestr("probabilities.npy", content))
    tracemalloc.start()
    with pytest.raises(MerKitError, match="epochs.npz in fold 0 cannot be read"):
        read(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_bomb_whose_header_is_right_is_not_unpacked(file: Path) -> None:
    def bomb(archive: zipfile.ZipFile) -> None:
        with archive.open("probabilities.npy", "w") as member:
            member.write(header("(32, 1000000, 4)"))
            for _ in range(256):
                member.write(bytes(1_000_000))

    members(file, bomb)
    assert file.stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(MerKitError, match="cannot be read"):
        read(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_passes_that_are_all_alike_are_packed_tightly_and_still_read(file: Path) -> None:
    n = 100_000
    np.savez_compressed(
        file, probabilities=np.full((20, n, 4), 0.25, np.float16), labels=np.zeros(n, np.int8), clip=np.zeros(n, np.int32),
        start_s=np.zeros(n, np.float32),
    )  # fmt: skip
    assert file.stat().st_size < 100_000 and read(file)["probabilities"].shape == (20, n, 4)


def test_lists_of_thousands_of_members_and_other_files_are_refused(file: Path) -> None:
    np.savez_compressed(file, **GOOD)
    with zipfile.ZipFile(file, "a") as archive:
        for number in range(2000):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(MerKitError, match="cannot be read"):
        read(file)
    for content in (b"", b"x" * 500, b"PK\x05\x06" + bytes(18)):
        file.write_bytes(content)
        with pytest.raises(MerKitError, match="cannot be read"):
            read(file)
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(MerKitError, match="is missing or not a regular file"):
        read(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": GOOD["labels"][:4]}, "arrays of different lengths"),
        ({"start_s": np.arange(6.0)}, "arrays of different lengths"),
        ({"probabilities": P[:0]}, "arrays of different lengths"),
        ({"probabilities": P + 1}, "probabilities outside 0 to 1"),
        ({"probabilities": np.where(P > 0.9, np.nan, P * np.nan)}, "probabilities outside 0 to 1"),
        ({"probabilities": (P > 0.5).astype(np.int8)}, "probabilities outside 0 to 1"),
        ({"labels": GOOD["labels"] + 1}, "labels outside its classes"),
        ({"labels": GOOD["labels"] - 1}, "labels outside its classes"),
        ({"labels": GOOD["labels"].astype(float)}, "labels outside its classes"),
        ({"clip": GOOD["clip"] - 1}, "segments without a clip"),
        ({"start_s": GOOD["start_s"] * np.inf}, "segments without a clip"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_named(
    file: Path, change: dict[str, np.ndarray], words: str
) -> None:
    np.savez_compressed(file, **{**GOOD, **change})
    with pytest.raises(
        MerKitError, match=f"epochs.npz in fold 0 has {words}: train the fold again"
    ):
        read(file)


def test_a_missing_array_is_no_error_of_python(file: Path) -> None:
    np.savez_compressed(file, probabilities=P)
    with pytest.raises(MerKitError, match=r"cannot be read \(KeyError\)"):
        read(file)
    assert stored_arrays.read_arrays(file, {"probabilities": 3})["probabilities"].shape == (3, 5, 4)
