"""Columns of texts as numbers: by whole columns, what Python's ``float`` says of each cell; remembered, and rightly."""

import random
from dataclasses import replace

import numpy as np
import pytest

from xnn.datasets.table import MISSING, Table, as_texts, is_number
from xnn.errors import FileError

PLAIN = ["1", "-2.5", "1e5", ".5", "5.", "+5", "007", "-0", "1E-3", " 3 ", "\u20036", "१", "9" * 40, "0." + "3" * 400]
ODD = ["1_000", "_1", "0x10", "1,5", "1.000,5", "1 2", "-", "1e", "1d5", "½", "x", "True", "inf", "1e400", "-Infinity"]
ABSENT = ["", "  ", "NA", "nan", "?", " null "]


def table(cells):
    return Table("f.csv", {"a": as_texts(cells)}, np.arange(1, len(cells) + 1))


@pytest.mark.parametrize("odd", [0, 0.1, 0.9])
def test_a_column_holds_the_numbers_that_its_cells_hold(odd):
    draw = random.Random(0)
    for _ in range(50):
        chosen = [ODD if draw.random() < odd else draw.choice([PLAIN, PLAIN, ABSENT]) for _ in range(12)]
        cells = [draw.choice(kind) for kind in chosen]
        found, filled = table(cells), [cell.strip() for cell in cells if cell.strip() not in {"", *MISSING}]
        strange = [i for i, cell in enumerate(cells) if cell.strip() in filled and not is_number(cell)]
        assert found.is_numeric("a") == bool(filled and not strange)
        assert found.count_numbers("a") == sum(map(is_number, filled))
        if strange:
            with pytest.raises(FileError, match=f"row {strange[0] + 1}, column 'a': .* is no number"):
                found.numbers("a")
        elif not any(map(np.isinf, map(float, filled))):
            expected = [float(cell) if cell.strip() in filled else np.nan for cell in cells]
            np.testing.assert_array_equal(found.numbers("a"), expected)


def test_what_is_remembered_goes_with_the_rows_and_not_with_other_columns():
    found = table(["1", "x", "", "4"])
    assert not found.is_numeric("a")
    rows = found.take(np.asarray([3, 2, 0]))  # without the text they are numbers
    np.testing.assert_array_equal(rows.numbers("a"), [4, np.nan, 1])
    np.testing.assert_array_equal(rows.take(np.asarray([False, True, True])).numbers("a"), [np.nan, 1])
    np.testing.assert_array_equal(rows.filled("a").numbers("a"), [4, 1])
    assert rows.filled("a").where(1, "a") == "f.csv, row 1, column 'a'"
    other = replace(rows, columns={"a": as_texts(["7", "8", "9"])})
    np.testing.assert_array_equal(other.numbers("a"), [7, 8, 9])
