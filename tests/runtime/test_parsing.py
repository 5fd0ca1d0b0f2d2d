"""Parsing text: Python's csv module and float() and scikit-learn's loader are the oracles."""

import csv
import io
import math
import mmap

import numpy as np
import pytest
from sklearn.datasets import load_svmlight_file

from cirrus_runtime.errors import CirrusError
from cirrus_runtime.parsing import (
    LONGEST_TEXT,
    STATES,
    first_row,
    follow,
    parse_delimited,
    parse_libsvm,
)

CELLS = ["", "a", "1.5", "x y", 'say "hi"', "two\nlines", "comma, here", "é€😀", "x\r\ny", " "]


def random_rows(rng, n_rows, n_columns):
    return [[CELLS[i] for i in rng.integers(len(CELLS), size=n_columns)] for _ in range(n_rows)]


def written(rows, ending="\n", delimiter=","):
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=ending, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


def texts(parsed):
    columns = [column.tolist() for column in parsed.columns]
    return [[cell or "" for cell in row] for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_cells_are_those_of_the_csv_module(ending):
    rows = random_rows(np.random.default_rng(0), 500, 4)
    text = written(rows, ending)
    parsed = parse_delimited(text, ["text"] * 4, ",", '"')
    assert texts(parsed) == [row for row in csv.reader(io.StringIO(text.decode(), newline=""))]
    assert (parsed.n_rows, parsed.next, parsed.n_bad) == (500, len(text), 0)
    assert parsed.n_lines == text.count(b"\n")


def test_every_place_to_cut_gives_the_same_rows():
    rows = random_rows(np.random.default_rng(1), 12, 3)
    text = written(rows)
    for cut in range(len(text) + 1):
        states = follow(text[:cut], ",", '"')
        assert follow(text[cut:], ",", '"', [states[0]]) == [0]
        begin = cut + first_row(text[cut:], ",", '"', states[0])
        head = parse_delimited(text, ["text"] * 3, ",", '"', limit=cut)
        tail = parse_delimited(text, ["text"] * 3, ",", '"', at=begin)
        assert head.next == begin
        assert texts(head) + texts(tail) == rows


def test_states_are_followed_byte_by_byte():
    rng = np.random.default_rng(2)
    for _ in range(300):
        text = bytes(rng.choice(list(b'a",\r\n'), size=12).tolist())
        stepped = list(range(STATES))
        for i in range(len(text)):
            stepped = [follow(text[i : i + 1], ",", '"', [state])[0] for state in stepped]
        assert follow(text, ",", '"') == stepped


def test_without_a_quote_character_quotes_are_text():
    parsed = parse_delimited(b'"a\tb"\n5" disk\tx\n', ["text", "text"], "\t", None)
    assert texts(parsed) == [['"a', 'b"'], ['5" disk', "x"]]


def test_an_incomplete_row_waits_for_its_rest():
    parsed = parse_delimited(b'1,2\n3,"4\n', ["number", "text"], ",", '"', is_last=False)
    assert (parsed.n_rows, parsed.next) == (1, 4)
    parsed = parse_delimited(b"1,2\n3,4", ["number", "number"], ",", '"', is_last=False)
    assert (parsed.n_rows, parsed.next) == (1, 4)
    parsed = parse_delimited(b"1,2\n3,4", ["number", "number"], ",", '"')
    assert parsed.n_rows == 2


NUMBERS = (
    "0 -0 1 -1 +7 3.25 .5 5. 1e3 1E-3 1e+22 1e23 1e-400 1e400 123456789012345678901234567890 "
    "0.1 2.2250738585072014e-308 4.9e-324 9007199254740993 1.7976931348623157e308 inf -Infinity "
    "+nan 8.41e21 9.5e-22 0.000000000000000000000000000001 000000000000000000000012.5"
).split()


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_those_of_python(text):
    parsed = parse_delimited(f" {text} \n".encode(), ["number"], ",", None)
    found, expected = parsed.columns[0][0], float(text)
    assert math.isnan(found) if math.isnan(expected) else found == expected
    assert math.copysign(1, found) == math.copysign(1, expected) or math.isnan(expected)


def test_random_numbers_are_those_of_python():
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**63, 20_000).view(np.float64)
    numbers = [*bits[np.isfinite(bits)].tolist(), *rng.normal(size=20_000).round(4).tolist()]
    words = [repr(number) for number in numbers] + [f"{number:.6g}" for number in numbers]
    parsed = parse_delimited("\n".join(words).encode(), ["number"], ",", None)
    assert parsed.columns[0].tolist() == [float(word) for word in words]


@pytest.mark.parametrize("before", ["", "x" * 60 + "\t"])
def test_integers_of_every_length_are_those_of_python(before):
    words = [str(10**n + n)[:n] for n in range(1, 12)]
    words += ["0", "007", "99999999", "4294967296"]
    words += [f"{word[:-1]}{wrong}" for word in words[:9] for wrong in "/:x\xb9"]
    kinds = ["skip", "number"] if before else ["number"]
    for word in words:
        parsed = parse_delimited((before + word).encode("latin-1"), kinds, "\t", None)
        good = word.isascii() and word.isdigit()
        assert parsed.columns[-1].tolist() == ([float(word)] if good else []), word


def test_narrow_numbers_are_those_that_are_rounded_once_more():
    words = [*NUMBERS, "123456789", "16777217", "", "5"]
    wide = parse_delimited("\n".join(f"{w},{w}" for w in words).encode(), ["number"] * 2, ",", None)
    narrow = parse_delimited(
        "\n".join(f"{w},{w}" for w in words).encode(),
        *(["number"] * 2, ",", None),
        dtype="float32",
        label=0,
    )
    assert narrow.n_bad == 2  # labels that are missing: the empty one and +nan
    there = ~np.isnan(wide.columns[0])
    np.testing.assert_array_equal(narrow.columns[0], wide.columns[0][there])
    assert narrow.columns[0].dtype == np.float64 and narrow.columns[1].dtype == np.float32
    with np.errstate(over="ignore"):
        expected = wide.columns[1][there].astype(np.float32)
    assert narrow.columns[1].tobytes() == expected.tobytes()


@pytest.mark.parametrize("quote", [None, '"'])
def test_a_column_that_has_nearly_all_the_text(quote):
    """More than was made room for, in the first rows and in the last ones."""
    rng = np.random.default_rng(5)
    rows = [["a", "b" * int(n), *"cdefgh"] for n in rng.integers(0, 300, 400)]
    rows += [[*"abcdefg", "h" * 5000], ["", "x" * 100_000, *[""] * 6]]
    text = "".join("\t".join(row) + "\n" for row in rows).encode()
    assert texts(parse_delimited(text, ["text"] * 8, "\t", quote)) == rows
    cells = written([[f'{cell}"{cell}' for cell in row] for row in rows], delimiter="\t")
    expected = [[f'{cell}"{cell}' for cell in row] for row in rows]
    assert texts(parse_delimited(cells, ["text"] * 8, "\t", '"')) == expected


def test_a_foreign_locale_changes_no_number():
    import locale

    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("this machine has no locale with a decimal comma")
    try:
        parsed = parse_delimited(b"1.23456789012345678901\n", ["number"], ";", None)
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
    assert parsed.columns[0][0] == 1.23456789012345678901


@pytest.mark.parametrize("text", ["", "NA", "NaN", "nan", "null", "None", '""'])
def test_missing_numbers(text):
    parsed = parse_delimited(f"{text},1\n".encode(), ["number", "number"], ",", '"')
    assert np.isnan(parsed.columns[0]).tolist() == [True]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1", "only 1 cells, not 2"),
        ("1,2,3", "3 cells, not 2"),
        ("1,x", "'x' is not a number"),
        ("1,1_000", "'1_000' is not a number"),
        ("1,0x10", "is not a number"),
        ("1,1e", "is not a number"),
        ("1,-", "is not a number"),
        ('1,"2"3', "follows the closing quote"),
    ],
)
def test_bad_rows_are_left_out_and_told(row, reason):
    text = f"\n1,2\n{row}\n3,4\n\n".encode()
    parsed = parse_delimited(text, ["number", "number"], ",", '"')
    assert [column.tolist() for column in parsed.columns] == [[1, 3], [2, 4]]
    assert (parsed.n_bad, parsed.n_lines, parsed.bad[0].line) == (1, 5, 2)
    assert reason in parsed.bad[0].reason


def test_a_quote_that_is_never_closed_is_a_bad_row():
    parsed = parse_delimited(b'1,2\n3,"4\n5,6\n', ["number", "text"], ",", '"')
    assert (parsed.n_rows, parsed.n_bad) == (1, 1)
    assert "never closed" in parsed.bad[0].reason


@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_missing_label_is_a_bad_row(kind):
    parsed = parse_delimited(b"1,\n,2\n3,4\n", [kind, "number"], ",", '"', label=0)
    assert parsed.columns[1].tolist()[1:] == [4]
    assert (parsed.n_bad, parsed.bad[0].line) == (1, 1)
    assert "label is missing" in parsed.bad[0].reason


def test_skipped_columns_and_many_bad_rows():
    text = b"a,1\n" + b"x\n" * 1000 + b"b,2\n"
    parsed = parse_delimited(text, ["skip", "number"], ",", None)
    assert parsed.columns[0] is None
    assert parsed.columns[1].tolist() == [1, 2]
    assert (parsed.n_bad, len(parsed.bad), parsed.bad[99].line) == (1000, 100, 100)


def test_libsvm_is_what_scikit_learn_loads(tmp_path):
    rng = np.random.default_rng(4)
    lines = []
    for _ in range(300):
        columns = np.sort(rng.choice(50, rng.integers(0, 9), replace=False)) + 1
        pairs = " ".join(f"{c}:{rng.normal():.{rng.integers(1, 17)}g}" for c in columns)
        lines.append(
            f"{rng.choice([-1, 1, 2.5])} {pairs}" + (" # told" if rng.random() < 0.2 else "")
        )
    text = ("\n".join(lines) + "\n\n# nothing\n").encode()
    (tmp_path / "a").write_bytes(text)
    X, y = load_svmlight_file(str(tmp_path / "a"), zero_based=False)
    labels, indptr, indices, values = parse_libsvm(text).columns
    np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(indptr, X.indptr)
    np.testing.assert_array_equal(indices, X.indices)
    np.testing.assert_array_equal(values, X.data)
    assert parse_libsvm(text).n_columns == X.shape[1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x 1:2", "is not a number"),
        ("1 1:x", "is not a number"),
        ("1 0:2", "index of 1 or more"),
        ("1 -3:2", "index of 1 or more"),
        ("1 3", "is not index:value"),
        ("1 4294967295:1", "is not index:value"),
        ("1 2:1 2:1", "must rise"),
        ("1 3:1 2:1", "must rise"),
        ("1 qid:3 1:1", "qid"),
    ],
)
def test_bad_rows_of_libsvm(row, reason):
    parsed = parse_libsvm(f"1 1:1\n{row}\n-1 2:1\n".encode())
    assert parsed.columns[0].tolist() == [1, -1]
    assert parsed.columns[2].tolist() == [0, 1]
    assert (parsed.n_bad, parsed.bad[0].line) == (1, 1)
    assert reason in parsed.bad[0].reason


def test_libsvm_may_begin_with_zero():
    parsed = parse_libsvm(b"1 0:5 7:1", zero_based=True)
    assert parsed.columns[2].tolist() == [0, 7]
    assert parsed.n_columns == 8
    assert parse_libsvm(b"1 0:5 7:1", zero_based=True, is_last=False).n_rows == 0


def test_a_text_that_is_too_long_is_refused():
    with mmap.mmap(-1, LONGEST_TEXT + 1) as text, pytest.raises(CirrusError, match="2 GiB"):
        parse_delimited(text, ["text"], ",", None)
