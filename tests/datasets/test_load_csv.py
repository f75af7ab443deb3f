"""What becomes of the columns of a CSV file: numbers, categories, classes; or an error with its place."""

import numpy as np
import pytest

from xnn.datasets import load_csv
from xnn.datasets.encoding import Encoding
from xnn.datasets.files import read_table
from xnn.datasets.learn import learn
from xnn.errors import FileError

TABLE = "age,city,sick\n31,Oslo,yes\n42,Rome,no\n53,Rome,no\n64,Oslo,yes\n"


def file(folder, content):
    path = folder / "f.csv"
    path.write_text(content, encoding="utf-8")
    return path


def load(folder, content, target="y", **options):
    return load_csv(file(folder, content), target, **options)


def test_numbers_categories_and_classes(tmp_path):
    data = load(tmp_path, TABLE, "sick")
    assert (data.name, data.classes, data.y.tolist()) == ("f", ("no", "yes"), [1, 0, 0, 1])
    assert data.feature_names == ("age", "city=Oslo", "city=Rome")
    np.testing.assert_array_equal(data.x, [[31, 1, 0], [42, 0, 1], [53, 0, 1], [64, 1, 0]])
    assert (data.x.dtype, data.y.dtype) == ("float64", "int64")


@pytest.mark.parametrize(
    ("targets", "classes"),
    [
        ("1 1 2 2 2 1.0", ("1", "2")),  # 1 and 1.0 are one class
        ("-1 1 -1 1 1 1", ("-1", "1")),
        ("a b a b c c", ("a", "b", "c")),
        ("1 1 2 2 2 1.5", ()),
        ("1 2 3 4 5 6", ()),
        ("1 1 2 2 3 3", ()),  # two of each are too few to tell
        ("1000000000000000000 2 3 4 5 6", ()),
    ],
)
def test_the_target_decides(tmp_path, targets, classes):
    content = "x,y\n" + "".join(f"{i},{target}\n" for i, target in enumerate(targets.split()))
    data = load(tmp_path, content)
    assert data.classes == classes
    if not classes:
        np.testing.assert_array_equal(data.y, list(map(float, targets.split())))
    else:
        labels = [data.classes[i] for i in data.y]
        assert labels == [target.removesuffix(".0") for target in targets.split()]


def test_the_task_may_be_said(tmp_path):
    rows = "x,y\n" + "".join(f"{i},{i % 3}\n" for i in range(9))
    assert load(tmp_path, rows).classes == load(tmp_path, rows, task="classification").classes == ("0", "1", "2")
    assert load(tmp_path, rows, task="regression").y.dtype == "float64"
    few = "x,y\n1,1\n2,1\n3,2\n4,2\n"
    assert load(tmp_path, few).classes == ()
    assert load(tmp_path, few, task="classification").classes == ("1", "2")
    with pytest.raises(ValueError, match="task: expected 'classification' or 'regression'; got 'x'"):
        load(tmp_path, few, task="x")


def test_names_made_of_digits(tmp_path):
    data = load(tmp_path, "zip,y\n01234,1.5\n1234,2.5\n99,3.5\n", text=["zip"])
    assert data.feature_names == ("zip=01234", "zip=1234", "zip=99")


def test_missing_values(tmp_path):
    content = "a,b,y\n1,p,1.5\n,q,2.5\n3,,3.5\n5,p,\n"
    with pytest.raises(FileError, match=r"f.csv, line 3, column 'a': the value is missing, as it is in 1 of 4 rows"):
        load(tmp_path, content)
    dropped = load(tmp_path, content, missing="drop")
    assert (dropped.y.tolist(), dropped.x[:, 0].tolist()) == ([1.5], [1])
    filled = load(tmp_path, content, missing="mean")
    np.testing.assert_array_equal(filled.x, [[1, 1, 0], [2, 0, 1], [3, 0, 0]])  # the mean of rows with a target
    with pytest.raises(FileError, match="no row is left"):
        load(tmp_path, "a,b,y\n1,,2\n,3,4\n2,,3\n,4,3\n", missing="drop")
    with pytest.raises(ValueError, match="missing: expected one of error, drop, mean; got 'x'"):
        load(tmp_path, content, missing="x")


WRONG = {
    "a text among numbers": ("a,y\n1,1.5\n2,2.5\nx,3\n", "f.csv, line 4, column 'a': 'x' is no number"),
    "a text among targets": ("a,y\n1,1.5\n2,2.5\n3,x\n", "f.csv, line 4, column 'y': 'x' is no number"),
    "underscores": ("a,y\n1,1\n1_000,2\n3,3\n", "line 3, column 'a': '1_000' is no number"),
    "infinity": ("a,y\n1,1\ninf,2\n", "line 3, column 'a': the number must be finite"),
    "dates": ("d,y\n2020-01-31,1\n2020-02-01,2\n", "'d' holds dates or times such as '2020-01-31'"),
    "dates of another kind": ("d,y\n31.1.2020 12:00,1\n1.2.2020 8:00,2\n", "holds dates or times"),
    "commas in numbers": ("a;y\n1,5;1\n2,5;2\n", r"numbers with a comma such as '1,5'; .*say so \(option decimal\)"),
    "thousands": ("a;y\n1,234,567;1\n2;2\n3,000,000;3\n", r"such as '1,234,567'; .*parts thousands, remove it"),
    "commas in targets": ("y;a\n1,5;1\n2;2\n2;3\n1,5;4\n", r"'y' holds .*comma such as '1,5'; .*\(option decimal\)"),
    "commas in some targets": ("y;a\n1;1\n2;2\n2,5;3\n", r"'2,5' is no number; if the comma .*\(option decimal\)"),
    "a delimiter of another kind": (
        "a b y\n1 2 3\n",
        r"no column 'y'; there are: 'a b y' alone; .*\(option delimiter\)",
    ),
    "names that are numbers": (
        "a,2020,y\n1,2,3\n",
        r"no column 'y'.*; if the first row holds the names.*\(option header\)",
    ),
    "texts, all different": (
        "id,y\n" + "".join(f"u{i},{i}\n" for i in range(101)),
        "'id' has 101 different texts such as 'u0', more than 100",
    ),
    "classes, all different": (
        "a,y\n" + "".join(f"{i},u{i}\n" for i in range(10)),
        "'y' has 10 different values in 10 rows; classes must occur more often",
    ),
    "a constant target": ("a,y\n1,2\n2,2.0\n", "'y' has one value only, or none: nothing to predict"),
    "no target": ("a,y\n1,\n2,\n", "'y' has one value only, or none"),
    "constant inputs": ("a,b,y\n1,,1\n1,,2\n", "no column is left to predict 'y' from"),
    "another name": ("a,Y\n1,1\n2,2\n", "has no column 'y'; did you mean 'Y'?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(tmp_path, case):
    content, words = WRONG[case]
    with pytest.raises((FileError, ValueError), match=words):
        load(tmp_path, content)


def test_constant_columns_are_left_out_and_it_is_said(tmp_path):
    table = read_table(file(tmp_path, "a,b,c,y\n1,7,u,1.5\n2,7,,2.5\n"))
    encoding, remarks = learn(table, "y", missing="mean")
    assert encoding.feature_names == ("a", "c=u")  # a text that is missing sometimes says something
    assert "column 'b' has one value only, and is left out" in remarks


def test_one_name_is_a_list_of_one(tmp_path):
    content = "zip,city,y\n1,Oslo,1.5\n2,Rome,2.5\n1,Rome,4\n"
    assert load(tmp_path, content, ignore="city", text="zip").feature_names == ("zip=1", "zip=2")
    with pytest.raises(TypeError, match="expected the name of a column; got 2"):
        load_csv(file(tmp_path, content), 2)


def test_the_encoding_is_kept_as_notes(tmp_path):
    table = read_table(file(tmp_path, TABLE))
    encoding, _ = learn(table, "sick", missing="mean")
    encoding = encoding.with_means(encoding.inputs(table))
    assert Encoding.from_notes(encoding.notes()) == encoding
    new = read_table(file(tmp_path, "city,age,more\nRome,,1\nOslo,20,2\n"))
    np.testing.assert_array_equal(encoding.inputs(new), [[47.5, 0, 1], [20, 1, 0]])


def test_new_data_must_have_what_was_learned(tmp_path):
    encoding, _ = learn(read_table(file(tmp_path, TABLE)), "sick")

    def fails(content, words, of):
        with pytest.raises((FileError, ValueError), match=words):
            of(read_table(file(tmp_path, content)))

    fails("Age,city\n1,Oslo\n", "lacks the column 'age'; did you mean 'Age'?", encoding.inputs)
    fails("age,city\n1,Oslo\nx,Rome\n", "line 3, column 'age': 'x' is no number", encoding.inputs)
    fails("age,city\n1,Paris\n", "line 2, column 'city': 'Paris' is no category of the training data", encoding.inputs)
    fails("age,city\n1,\n", "line 2, column 'city': the value is missing", encoding.complete)
    fails("age,sick\n1,maybe\n", "'maybe' is no class of the training data, which had: 'no', 'yes'", encoding.targets)
    fails("age,city\n1,Oslo\n", "lacks the column to be predicted, 'sick'", encoding.targets)
    table = read_table(file(tmp_path, "age,city\n1,Paris\n"))
    np.testing.assert_array_equal(encoding.inputs(table, unseen="zeros"), [[1, 0, 0]])
