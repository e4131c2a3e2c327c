"""Tables in every shape they come in, and the sentence for each in which they would lose something."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.corpora import tables
from tests.corpora.tiny import write

TEXT = "id , name\n 1,Zoë \n2,\t naïve\t\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_read_table_strips_and_decodes(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.replace("\n", newline).encode(encoding))
    table = tables.read_table(path, ["name", "id"])
    assert table.to_dict("list") == {"id": ["1", "2"], "name": ["Zoë", "naïve"]}


def test_read_table_keeps_text_as_text(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\n007,NA,\n1.50,null,nan\n")
    assert tables.read_table(path, []).to_dict("list") == {"a": ["007", "1.50"], "b": ["NA", "null"], "c": ["", "nan"]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "table.csv cannot be read"),
        (b"", "table.csv is not a readable table"),
        (b"a,b\n1,2\n1,2,3\n", "table.csv line 3 has 3 fields, the header 2: decimal commas?"),
        (b"a,b\n", "table.csv holds a header but no rows"),
        (b"b;c\n1;2\n", r"table.csv lacks the column 'a' \(it has b, c\)"),
    ],
)
def test_unusable_table_gets_a_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MerKitError, match=sentence):
        tables.read_table(path, ["a"])
