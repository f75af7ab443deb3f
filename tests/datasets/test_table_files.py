"""Tables from npz and Parquet files."""

import numpy as np
import pytest

from xnn.datasets import load_csv
from xnn.datasets.files import read_table
from xnn.errors import FileError


def test_arrays_of_npz_are_columns(tmp_path):
    images = np.arange(12).reshape(3, 2, 2)
    np.savez(tmp_path / "a.npz", x=images, y=["a", "b", "NA"], z=[1.5, np.nan, 2], ok=[True, False, True], one=3)
    table = read_table(tmp_path / "a.npz")
    assert list(table.columns) == ["x_0", "x_1", "x_2", "x_3", "y", "z", "ok"]
    np.testing.assert_array_equal(table.numbers("x_3"), [3, 7, 11])
    assert table.texts("y").tolist() == ["a", "b", ""]
    assert table.texts("ok").tolist() == ["True", "False", "True"]
    assert table.missing("z").tolist() == [False, True, False]
    with pytest.raises(FileError, match=r"a.npz, row 1, column 'y': 'a' is no number"):
        load_csv(tmp_path / "a.npz", "y", task="regression", ignore=["z"])


def test_npz_files_that_make_no_table(tmp_path):
    np.savez(tmp_path / "lengths.npz", x=np.zeros(3), y=np.zeros(2))
    np.savez(tmp_path / "none.npz", x=3)
    np.savez(tmp_path / "objects.npz", x=np.asarray([{}, 1], dtype=object))
    (tmp_path / "text.npz").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "cut.npz", x=np.zeros(1000))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:500])
    for name, words in (
        ("lengths", "x of length 3, y of length 2"),
        ("none", "found none"),
        ("objects", "cannot be read as an npz file of numbers and texts"),
        ("text", "is no npz file"),
        ("cut", "is no npz file"),
        ("missing", "does not exist"),
    ):
        with pytest.raises(FileError, match=words):
            read_table(tmp_path / f"{name}.npz")
    with pytest.raises(ValueError, match="delimiter is for CSV files"):
        read_table(tmp_path / "none.npz", delimiter=",")


def test_parquet(tmp_path):
    polars = pytest.importorskip("polars", reason="Parquet is read by polars, or pandas")
    frame = polars.DataFrame(
        {"n": [1, None, 3], "r": [0.5, 1.5, None], "t": ["a", None, "b"], "ok": [True, False, None]},
    )
    frame.write_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    np.testing.assert_array_equal(table.numbers("n"), [1, np.nan, 3])
    np.testing.assert_array_equal(table.numbers("r"), [0.5, 1.5, np.nan])
    assert table.texts("t").tolist() == ["a", "", "b"]
    assert table.texts("ok").tolist() == ["True", "False", ""]
    (tmp_path / "b.parquet").write_text("no")
    with pytest.raises(FileError, match=r"b.parquet cannot be read as a Parquet file"):
        read_table(tmp_path / "b.parquet")
    frame.clear().write_parquet(tmp_path / "c.parquet")
    with pytest.raises(FileError, match="no rows"):
        read_table(tmp_path / "c.parquet")


def test_parquet_without_a_library(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_text("")
    for name in ("polars", "pandas"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ImportError, match="pip install polars"):
        read_table(tmp_path / "a.parquet")
