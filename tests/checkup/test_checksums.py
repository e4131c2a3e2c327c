"""The index knows a whole copy from a damaged one: what changed, vanished or appeared is named, file by file."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.checkup import checksums
from mer_kit.cli import main
from mer_kit.records import Corpus
from tests.corpora import tiny


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    root = tiny.table(tmp_path / "mine")
    for k, name in enumerate(("a/one.wav", "a/two.flac", "three.mp3", "four.ogg", "five.wav")):
        tiny.tone(root / name, 2 + k / 4, hertz=200 + 20 * k)
    return corpora.load("table", root)


def test_an_index_says_size_checksum_and_duration_of_every_file(corpus: Corpus) -> None:
    seen: list[tuple[int, int]] = []
    table, problems = checksums.measure(corpus, progress=lambda done, of: seen.append((done, of)))
    assert problems == [] and seen == [(k, 7) for k in range(1, 8)]
    assert table["path"].tolist() == [
        "a/one.wav", "a/two.flac", "clips.csv", "five.wav", "four.ogg", "segment_truth.csv", "three.mp3"
    ]  # fmt: skip
    row = table.set_index("path").loc["a/two.flac"]
    assert row["size"] == (corpus.root / "a/two.flac").stat().st_size and row["duration_s"] == 2.25
    assert (
        row["md5"]
        == __import__("hashlib").md5((corpus.root / "a/two.flac").read_bytes()).hexdigest()
    )
    assert table.set_index("path")["duration_s"].isna().sum() == 2


def test_the_same_copy_compares_equal_and_a_damaged_one_is_told(
    corpus: Corpus, tmp_path: Path
) -> None:
    table, _ = checksums.measure(corpus)
    index = corpus.root / checksums.INDEX
    checksums.write_index(table, index)
    assert checksums.compare(checksums.measure(corpus)[0], checksums.read_index(index)) == []
    content = bytearray((corpus.root / "five.wav").read_bytes())
    content[-1] ^= 1
    (corpus.root / "five.wav").write_bytes(content)
    tiny.tone(corpus.root / "four.ogg", 9.0)
    (corpus.root / "segment_truth.csv").unlink()
    tiny.write(corpus.root / "notes.json", "{}")
    found = checksums.compare(checksums.measure(corpus)[0], checksums.read_index(index))
    assert [(problem.kind, problem.where) for problem in found] == [
        ("other_content", "five.wav"), ("other_size", "four.ogg"), ("new", "notes.json"), ("gone", "segment_truth.csv"),
    ]  # fmt: skip
    assert checksums.counted(found) == "1 other content, 1 other size, 1 new, 1 gone"


def test_another_duration_of_the_same_bytes_is_the_decoders_doing(corpus: Corpus) -> None:
    table, _ = checksums.measure(corpus)
    older = table.assign(duration_s=table["duration_s"] + 0.5)
    assert {problem.kind for problem in checksums.compare(table, older)} == {"other_duration"}
    assert checksums.compare(table, table.assign(duration_s=table["duration_s"] + 0.05)) == []


def test_what_cannot_be_decoded_is_told_and_costs_no_other_file(corpus: Corpus) -> None:
    (corpus.root / "five.wav").write_bytes(b"no sound at all")
    table, problems = checksums.measure(corpus)
    assert [(problem.kind, problem.clip_id) for problem in problems] == [("not_audio", "five")]
    assert len(table) == 7 and table.set_index("path").loc["five.wav", "size"] == 15


def test_an_index_that_is_none_or_cannot_be_written(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match="there is no index at .*`mer-kit data CORPUS --index`"):
        checksums.read_index(tmp_path / "none.csv")
    with pytest.raises(MerKitError, match="lacks the column 'size', 'md5'"):
        checksums.read_index(tiny.write(tmp_path / "other.csv", "path,duration_s\na,1\n"))
    table, _ = checksums.measure(corpus)
    with pytest.raises(MerKitError, match="the index cannot be written to .*--index-file"):
        checksums.write_index(table, tiny.write(tmp_path / "file", "") / "index.csv")


# ---- the command -----------------------------------------------------------------------------------------------------


def data(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["data", *arguments])


def test_index_then_check_then_a_damaged_copy(corpus: Corpus) -> None:
    root = str(corpus.root)
    first = data("table", "--data", root, "--check")
    assert (
        first.exit_code == 0 and "no index to compare with: `--index` writes one" in first.output
    ), first.output
    assert "wrote" in data("table", "--data", root, "--index").output
    again = data("table", "--data", root, "--check")
    assert again.exit_code == 0 and "compared 7 files with mer-kit-index.csv" in again.output
    assert "note: a/unlisted.wav: not listed in clips.csv" in again.output
    (corpus.root / "five.wav").write_bytes(b"no sound at all")
    bad = data("table", "--data", root, "--check")
    assert (
        bad.exit_code == 1
        and "five.wav: is not audio" in bad.output
        and "five.wav: has 15 bytes" in bad.output
    )
    assert "table has 2 problems, listed above (1 not audio, 1 other size): fix them" in bad.output


def test_without_a_name_all_corpora_are_listed(tmp_path: Path) -> None:
    listed = data("--data", str(tmp_path))
    assert listed.exit_code == 0
    assert all(
        any(line.split()[:1] == [name] for line in listed.output.splitlines())
        for name in corpora.names()
    )
    assert data("--check").exit_code == 2 and data("pmemo", "--data", str(tmp_path)).exit_code == 1
