"""CSV files as people have them; what cannot be read is told with its line."""

import gzip

import numpy as np
import pytest

from xnn.datasets.csv_files import read_csv
from xnn.errors import FileError


def read(folder, content, **options):
    """The cells by column, of a file with this content."""
    path = folder / "f.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {name: column.tolist() for name, column in read_csv(path, **options).columns.items()}


READ = {
    "plain": ("a,b\n1,x\n2,y\n", {"a": ["1", "2"], "b": ["x", "y"]}),
    "mark at the start": ("\ufeffa,b\n1,x\n", {"a": ["1"], "b": ["x"]}),
    "line ends of Windows, no last one": ("a,b\r\n1,x\r\n2,y", {"a": ["1", "2"], "b": ["x", "y"]}),
    "line ends of old": ("a,b\r1,x\r", {"a": ["1"], "b": ["x"]}),
    "semicolons, commas in texts": ("a;b\n1;x, y\n2;z\n", {"a": ["1", "2"], "b": ["x, y", "z"]}),
    "semicolons, commas in numbers": ("a;b\n1,5;2,5\n3,5;4\n", {"a": ["1,5", "3,5"], "b": ["2,5", "4"]}),
    "commas, semicolons in texts": ("a,b\n1,x;y\n2,z\n", {"a": ["1", "2"], "b": ["x;y", "z"]}),
    "tabs": ("a\tb\n1\tx y\n", {"a": ["1"], "b": ["x y"]}),
    "bars": ("a|b\n1|2\n", {"a": ["1"], "b": ["2"]}),
    "quotes": ('a,"b, c"\n1,"x\ny ""z"""\n', {"a": ["1"], "b, c": ['x\ny "z"']}),
    "blanks": ('a , b\n 1, "x, y"\n', {"a": ["1"], "b": ["x, y"]}),
    "empty lines": ("\n\na,b\n\n1,x\n  \n,\n2,y\n\n", {"a": ["1", "2"], "b": ["x", "y"]}),
    "delimiter at the end": ("a,b,\n1,2,\n3,4,\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "rows counted by pandas": (",a,b\n0,1,2\n1,3,4\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "a column without name": ("a,,b\n1,7,2\n", {"a": ["1"], "column2": ["7"], "b": ["2"]}),
    "missing": ("a,b\n?,NA\nnan,x\n1,null\n", {"a": ["", "", "1"], "b": ["", "x", ""]}),
    "no names": ("5.1,setosa\n4.9,other\n", {"column1": ["5.1", "4.9"], "column2": ["setosa", "other"]}),
    "one column": ("a\n1\n2\n", {"a": ["1", "2"]}),
    "unicode": ("größe,城市\n1,東京\n", {"größe": ["1"], "城市": ["東京"]}),
    "other texts": ("größe\tb\n1\t2\n".encode("utf-16"), {"größe": ["1"], "b": ["2"]}),
    "packed": (gzip.compress(b"a,b\n1,2\n"), {"a": ["1"], "b": ["2"]}),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(tmp_path, case):
    content, expected = READ[case]
    assert read(tmp_path, content) == expected


def test_what_is_said_is_not_found_out(tmp_path):
    assert read(tmp_path, "1,2\n3,4\n", header=True) == {"1": ["3"], "2": ["4"]}
    assert read(tmp_path, "a,b\nc,d\n", header=False) == {"column1": ["a", "c"], "column2": ["b", "d"]}
    assert read(tmp_path, "a;b,c;d\n1;2,3;4\n", delimiter=",") == {"a;b": ["1;2"], "c;d": ["3;4"]}
    assert read(tmp_path, "a;b\n1,5;x,y\n-2;z\n", decimal=",") == {"a": ["1.5", "-2"], "b": ["x,y", "z"]}
    assert read(tmp_path, "größe\n1\n".encode("latin-1"), encoding="latin-1") == {"größe": ["1"]}


def test_many_rows_come_in_order(tmp_path):
    rows = 25_001
    found = read(tmp_path, "a,b\n" + "".join(f"{i},t{i % 7}\n" for i in range(rows)))
    assert found["a"] == list(map(str, range(rows)))
    assert found["b"] == [f"t{i % 7}" for i in range(rows)]


def test_lines_are_counted_as_an_editor_does(tmp_path):
    (tmp_path / "f.csv").write_text('a,b\n\n1,"x\ny"\n2,z\n')
    np.testing.assert_array_equal(read_csv(tmp_path / "f.csv").places, [3, 5])


WRONG = {
    "nothing": ("", "f.csv is empty"),
    "blank lines": ("\n \n", "f.csv is empty"),
    "names alone": ("a,b\n", r"holds names \(a, b\), and no rows"),
    "too many cells": ("a,b\n1,2\n3,4,5\n", "f.csv, line 3: 3 cells, where the first row has 2"),
    "too few cells": ("a,b\n1\n", "line 2: 1 cells"),
    "the same name twice": ("a,b,a\n1,2,3\n", r"two columns have the name 'a' \(columns 1 and 3\)"),
    "an open quote": ('a,b\n1,2\n3,"x\n4,5\n', "line 3: .* is a quotation mark missing"),
    "another encoding": ("a,b\n1,größe\n".encode("latin-1"), "line 2: the text is not in utf-8; name its encoding"),
    "zero bytes": (b"a,b\0\n1,2\n", "zero byte"),
    "a spreadsheet": (b"PK\x03\x04....", "is a Parquet, zip, Excel or npy file"),
    "packed, cut": (gzip.compress(b"a,b\n" * 100)[:-9], "cannot be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_told(tmp_path, case):
    content, words = WRONG[case]
    with pytest.raises(FileError, match=words):
        read(tmp_path, content)


def test_no_file_and_unknown_options(tmp_path):
    with pytest.raises(FileError, match=r"none.csv does not exist"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(FileError, match="is a folder"):
        read_csv(tmp_path)
    for options in ({"delimiter": ";;"}, {"delimiter": '"'}, {"decimal": "x"}, {"encoding": "klingon"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            read(tmp_path, "a\n1\n", **options)
