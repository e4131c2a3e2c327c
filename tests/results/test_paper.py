"""Table 1: the paper's printed numbers, ours by hand, and the arithmetic between them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.results.paper import paper_table, table1, table1_arithmetic

#: As printed in the paper, typed from its text: durations 1 to 5 s.
PRINTED = {
    "pmemo": (767, (22945, 22184, 21411, 20640, 19869)),
    "4q": (900, (26957, 26046, 25135, 24231, 23330)),
    "eim": (1000, (29982, 28981, 27976, 26973, 25971)),
}


@pytest.mark.parametrize("corpus", PRINTED)
def test_table_1_of_the_paper(corpus):
    table = paper_table(1).query("corpus == @corpus")
    songs, counts = PRINTED[corpus]
    assert table["segment_seconds"].tolist() == [1, 2, 3, 4, 5]
    assert table["overlap_seconds"].tolist() == [0, 1, 2, 3, 4]
    assert table["songs"].tolist() == [songs] * 5
    assert tuple(table["segments"]) == counts


def test_tables_2_and_3_of_the_paper():
    two, three = paper_table(2), paper_table(3)
    best = two.query("corpus == 'pmemo' and task == 'valence'").set_index("segment_seconds")[
        "accuracy_percent"
    ]
    assert best.idxmax() == 3 and best.max() == 83.19
    row = three.query("corpus == '4q' and method == 'sssl' and task == 'quadrant'")
    assert row[["accuracy_percent", "f1_percent"]].values.tolist() == [[76.49, 77.60]]


def test_no_other_table():
    with pytest.raises(MerKitError, match="number is 4, expected one of 1, 2, 3"):
        paper_table(4)


def test_our_counts_by_hand():
    # 30.1 s is cut to 30; 4.5 s holds starts 0…3, 0…2, 0 and 1, 0, none; 2.0 s holds 2, 1, 0, 0, 0.
    table = table1([30.1, 4.5, 2.0], 3, "4q")
    assert table["segments"].tolist() == [30 + 4 + 2, 29 + 3 + 1, 28 + 2, 27 + 1, 26]
    assert table["overlap_seconds"].tolist() == [0, 1, 2, 3, 4]
    assert table["paper_segments"].tolist() == list(PRINTED["4q"][1])
    assert table["paper_songs"].tolist() == [900] * 5
    expected = [
        100 * (ours / paper - 1)
        for ours, paper in zip(table["segments"], PRINTED["4q"][1], strict=True)
    ]
    np.testing.assert_allclose(table["difference_percent"].astype(float), expected)


def test_the_limit_can_be_lifted():
    assert table1([45.0], 1, "eim", (1,), max_seconds=None)["segments"].item() == 45
    assert table1([45.0], 1, "eim", (1,))["segments"].item() == 30


def test_a_corpus_or_duration_that_the_paper_lacks_has_gaps():
    demo = table1([20.0], 1, "demo")
    assert demo["segments"].tolist() == [20, 19, 18, 17, 16]
    assert demo[["paper_songs", "paper_segments", "difference_percent"]].isna().all(axis=None)
    half = table1([20.0], 1, "4q", (2, 2.5))
    assert half["segments"].tolist() == [19, 18]
    assert half["paper_segments"].isna().tolist() == [False, True]
    assert half["overlap_seconds"].tolist() == [1.0, 1.5]


def test_bad_number_of_songs():
    with pytest.raises(MerKitError, match="n_songs is -1"):
        table1([20.0], -1, "demo")


def test_the_papers_arithmetic():
    table = table1_arithmetic()
    for name, (songs, counts) in PRINTED.items():
        rows = table[table["corpus"] == name]
        assert rows["full"].tolist() == [songs * (30 - d + 1) for d in (1, 2, 3, 4, 5)]
        assert pd.isna(rows["step"].iloc[0])
        assert rows["step"].tolist()[1:] == [a - b for a, b in itertools.pairwise(counts)]
        np.testing.assert_allclose(
            rows["missing_percent"],
            [100 * (1 - n / f) for n, f in zip(counts, rows["full"], strict=True)],
        )
