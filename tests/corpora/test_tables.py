"""Tables in every shape they come in, and the sentence for each in which they would lose something."""

from __future__ import annotations

from pathlib import Path

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
    assert tables.read_table(path, []).to_dict("list") == {
        "a": ["007", "1.50"],
        "b": ["NA", "null"],
        "c": ["", "nan"],
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "table.csv cannot be read"),
        (b"", "table.csv is not a readable table"),
        (b"a,b\n1,2\n1,2,3\n", "table.csv line 3 has 3 fields, the header 2: decimal commas?"),
        (b"a,b\n", "table.csv has a header but no rows"),
        (b"b;c\n1;2\n", r"table.csv lacks the column 'a' \(it has b, c\)"),
    ],
)
def test_unusable_table_gets_a_sentence(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MerKitError, match=sentence):
        tables.read_table(path, ["a"])


ROWS = [["path", "label"], ["s0.wav", "Q1"], ["Zoë’s €.wav", "Q2"]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_separator_and_encoding_are_found_out(
    separator: str, encoding: str, tmp_path: Path
) -> None:
    text = "".join(f"{separator.join(row)}\r\n" for row in ROWS)
    path = write(tmp_path / "t.csv", text.encode(encoding))
    assert tables.has_columns(path, ["label", "path"]) and not tables.has_columns(path, ["mood"])
    assert tables.read_table(path, ["path"]).to_dict("list") == {
        "path": ["s0.wav", "Zoë’s €.wav"],
        "label": ["Q1", "Q2"],
    }


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\n', "SEP=;\r\n", "\n\n", "\ufeff"])
def test_what_spreadsheets_put_first_is_no_row(first: str, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", f"{first}Path; LABEL \ns0.wav;Q1\n")
    assert tables.read_table(path, ["path", "label"]).to_dict("list") == {
        "path": ["s0.wav"],
        "label": ["Q1"],
    }


def test_quotes_newlines_empty_rows_and_columns(tmp_path: Path) -> None:
    text = 'song_id,"Song title", ,\n1,"a, b\nc ""d""",,\n,,,\n\n 2 ,"e",,\n'
    table = tables.read_table(write(tmp_path / "t.csv", text), ["Song ID"], optional=["song_title"])
    assert table.to_dict("list") == {"Song ID": ["1", "2"], "song_title": ['a, b\nc "d"', "e"]}
    blanks = write(tmp_path / "b.csv", 'path, title, label\ns0.wav, "a, b", Q1\n')
    assert tables.read_table(blanks, ["label"])["title"].tolist() == ["a, b"]


def test_a_title_may_hold_the_separator_where_nothing_can_be_meant_but_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", "path,label,title\na.wav,Q1,Hello, Goodbye\nb.wav,Q2,T\nc.wav,Q3\n"
    )
    assert tables.read_table(path, ["path", "label"])["title"].tolist() == [
        "Hello, Goodbye",
        "T",
        "",
    ]
    tags = write(tmp_path / "u.csv", "Id,Artist,tags\n1,Ann,rock,1962,,\n")
    assert tables.read_table(tags, ["id"], open_ended=True)["tags"].tolist() == ["rock,1962"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "path,valence,arousal\ns0.wav,2,7,3,2\n",
            "t.csv line 2 has 5 fields, the header 3: decimal commas?",
        ),
        (
            "path,valence,arousal\ns0.wav,1,0\ns1.wav,0,2,1\n",
            "t.csv line 3 has 4 fields, the header 3: decimal commas?",
        ),
        (
            "path,valence,arousal,title\ns0.wav,2,7,3,2,T\n",
            "t.csv line 2 has 6 fields, the header 4: decimal commas?",
        ),
        (
            "path,artist,valence\ns0.wav,North, South,0.1\n",
            "line 2 has 4 fields, the header 3: a ',' inside a cell?",
        ),
        (
            'path,title,label\nb.wav,"T\nU",Q1\nc.wav,Q2\n',
            "line 4 has 2 fields, the header 3: is a cell missing?",
        ),
        ("path,label,Label \ns0.wav,Q1,Q2\n", "two columns named 'label'"),
        (
            'path,label,title\ns0.wav,Q1,"Odd\ns1.wav,Q2,b\ns2.wav,Q3,"Ends"\n',
            r'line 2 has a quote \("\).*line 4',
        ),
        ('path,label,title\ns0.wav,Q1,"Odd\ns1.wav,Q2,7"\n', r'line 2 has a quote \("\)'),
        ('path,label\n"s0.wav,Q1\ns1.wav,Q2\n', r'line 2 has a quote \("\)'),
        ('path,title,label\ns0.wav,"Odd\nand "even",Q1\n', r'line 2 has a quote \("\)'),
        (f"path,label\n{'x' * 200_000},Q1\n", "line 2: field larger"),
        ("PK\x03\x04xx", "t.csv is an Excel workbook"),
        ("<!DOCTYPE html><p>404", "t.csv is a web page"),
        ("\x01\x02\x03" * 50, "t.csv is not text"),
        ("\n \n", "it has no header line"),
    ],
)
def test_what_would_lose_something_is_refused_with_its_line(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(MerKitError, match=sentence):
        tables.read_table(
            path, [name for name in ("path", "label", "valence", "arousal") if name in text]
        )


def test_a_cell_of_several_lines_is_no_row(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", 'path,title,label\ns0.wav,"one, two\nthree, four, five",Q1\n')
    assert tables.read_table(path, ["path", "label"])["title"].tolist() == [
        "one, two\nthree, four, five"
    ]


def test_a_folder_and_a_table_beyond_measure_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(MerKitError, match="it is a folder or a device"):
        tables.read_table(tmp_path / "t.csv", [])
    monkeypatch.setattr(tables, "MAX_BYTES", 10)
    with pytest.raises(MerKitError, match="u.csv is not a readable table .*has at most 0"):
        tables.read_table(write(tmp_path / "u.csv", "path,label\na,Q1\n"), [])
    assert not tables.has_columns(tmp_path / "t.csv", []) and not tables.has_columns(None, [])
