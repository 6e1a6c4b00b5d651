"""A batch as people and spreadsheets leave it: what is taken, and what is listed with its line."""

import csv
import io

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jax_al.errors import UsageError
from jax_al.people.batch import batch_text, changes, is_filled_in, listed, read_lines, told
from jax_al.types import BROKEN, SKIP, UNSURE

IDS = ("a.jpg", " b.jpg", "c,;\t.jpg", 'd"\r\nd.jpg', "=e.jpg", "'=e.jpg", "007", "ü.jpg")
CLASSES = ("cat", "NA", "null", "1.0", "=x", "true", "ö")


def said(text, encoding="utf-8", ids=IDS, classes=CLASSES):
    content = text if isinstance(text, bytes) else text.encode(encoding)
    return told(content, "batch.csv", ids, classes)


def filled(labels, delimiter=",", end="\r\n", mark=""):
    """What is left of a batch of IDS by whoever reads it, labels it and saves it."""
    rows = list(csv.reader(io.StringIO(batch_text((id, "strategy") for id in IDS)[1:], newline="")))
    for row, label in zip(rows[1:], labels, strict=True):
        row[1] = label
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return mark + text.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", ""), ("utf-8", "\ufeff"), ("utf-16", "")]
    + [(f"utf-16-{order}", mark) for order in ("le", "be") for mark in ("", "\ufeff")],
)
def test_however_it_is_saved_it_says_the_same(encoding, mark, end, delimiter):
    labels = [*CLASSES, ""]
    found = said(filled(labels, delimiter, end, mark), encoding)
    assert found.answers == dict(zip(IDS, CLASSES, strict=False))
    assert (found.faults, found.undecided) == ((), 1)


def test_no_cell_of_an_id_is_a_formula_or_a_number_for_a_spreadsheet():
    ids = ("=1+1", "+1", "-x", "@x", "\tx", "007", "1.5", "1/2", "12:30", "1e5", "'x", "1" * 16)
    text = batch_text((id, "random") for id in ids)
    cells = [row[0] for row in csv.reader(io.StringIO(text[1:], newline=""))][1:]
    assert all(cell == f"'{id}" for cell, id in zip(cells, ids, strict=True))
    plain = ("a.jpg", "0", "12", "1_000.png", "2024-05-01.jpg", "1" * 15)
    cells = [row[0] for row in csv.reader(io.StringIO(batch_text((id, "") for id in plain)[1:]))]
    assert tuple(cells[1:]) == plain


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
             min_size=1, unique=True),
    st.sampled_from(["utf-8", "utf-16"]),
)  # fmt: skip
def test_any_ids_come_back(ids, encoding):
    text = batch_text((id, "strategy") for id in ids).replace(",,,", ",cat,,")
    rows = list(csv.reader(io.StringIO(text[1:], newline="")))
    for row in rows[1:]:
        row[1] = "cat"
    again = io.StringIO()
    csv.writer(again).writerows(rows)
    found = said(again.getvalue(), encoding, ids)
    assert found.answers == dict.fromkeys(ids, "cat")


def test_an_apostrophe_that_was_typed_is_part_of_the_id():
    assert said("id,label\n'=e.jpg,cat\n''=e.jpg,NA\n").answers == {
        "=e.jpg": "cat",
        "'=e.jpg": "NA",
    }
    assert said("id,label\n'=e.jpg,cat\n", ids=["'=e.jpg"]).answers == {"'=e.jpg": "cat"}


def test_blanks_go_around_a_label_and_never_around_an_id():
    found = said("id,label\na.jpg,  cat \n b.jpg,NA\u00a0\n b.jpg ,cat\n")
    assert found.answers == {"a.jpg": "cat", " b.jpg": "NA"}
    assert listed(found.faults) == "\n  line 4: there is no example ' b.jpg '"
    assert said("id,label\na.jpg, x\n", classes=["x", " x"]).answers == {"a.jpg": " x"}


def test_a_decision_in_place_of_a_class():
    found = said(
        "ID ,Label,Decision,more\na.jpg,,skip,1\n b.jpg,, Unsure,\n007,,BROKEN\n=e.jpg,cat\n"
    )
    assert found.answers == {"a.jpg": SKIP, " b.jpg": UNSURE, "007": BROKEN, "=e.jpg": "cat"}
    assert said("id,label\na.jpg,skip\n", classes=["skip"]).answers == {"a.jpg": "skip"}


def test_what_cannot_be_meant_is_listed_with_its_line_and_the_rest_is_there():
    found = said(
        "id,label,decision\n"
        "a.jpg,cat,\n"
        '"d""\r\nd.jpg",cat,\n'
        "ü.jpg,cta,\n"
        "missing.jpg,cat,\n"
        "\n"
        " b.jpg,cat,skip\n"
        " b.jpg,,skp\n"
        " b.jpg,unsure,\n"
        "a.jpg,NA,\n"
        "007,cat,,,more\n"
        "007,,\n"
    )
    assert found.answers == {'d"\r\nd.jpg': "cat"}
    assert found.undecided == 1
    assert listed(found.faults).splitlines()[1:] == [
        "  line 5: there is no class 'cta': did you mean 'cat'?",
        "  line 6: there is no example 'missing.jpg'",
        "  line 8: says 'cat' and 'skip': leave one of them empty",
        "  line 9: there is no decision 'skp': did you mean 'skip'?",
        "  line 10: 'unsure' is no class: it goes into the column decision",
        "  line 11: 'NA' for 'a.jpg', and line 2 says 'cat'",
        "  line 12: has 5 cells, and the first line 3: a name with ',' in it needs quotes around "
        "it",
    ]


def test_every_name_that_an_example_goes_by_is_its_own_and_one_of_two_is_refused():
    moved = {"new/a.jpg": {"a.jpg"}, "=n.jpg": {"007"}, "ü.jpg": {"a.jpg"}, "x": {"a.jpg", "007"}}
    content = "id,label\nnew/a.jpg,cat\na.jpg,cat\n'=n.jpg,ö\n".encode()
    found = told(content, "batch.csv", IDS, CLASSES, moved)
    assert (found.answers, found.faults) == ({"a.jpg": "cat", "007": "ö"}, ())
    content = "id,label\nnew/a.jpg,cat\na.jpg,ö\nü.jpg,cat\nx,cat\n".encode()
    found = told(content, "batch.csv", IDS, CLASSES, moved)
    assert found.answers == {}
    lines = [(fault.number, fault.what.split(":")[0]) for fault in found.faults]
    assert lines == [
        (3, "'ö' for 'a.jpg', and line 2 says 'cat'"),
        (4, "'ü.jpg' is the name of one and was that of another"),
        (5, "'x' is the name of one and was that of another"),
    ]


def test_the_same_twice_is_no_conflict_and_a_third_answer_takes_nothing():
    assert said("id,label\na.jpg,cat\na.jpg,cat \na.jpg,\n").answers == {"a.jpg": "cat"}
    torn = said("id,label\na.jpg,cat\na.jpg,NA\na.jpg,cat\na.jpg,ö\n")
    assert (torn.answers, [one.number for one in torn.faults]) == ({}, [3, 5])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "batch.csv is empty"),
        (b"\r\n \n", "batch.csv is empty"),
        (b"\xef\xbb\xbf", "batch.csv is empty"),
        (b"id,label\n", "has no line below its first"),
        (b"id;name\na;b\n", "must have the columns id and label, and has id;name"),
        (b"id,label,label\na,b,c\n", "has two columns label"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is not text as UTF-8 or UTF-16"),
        ("id,label\nü,cat\n".encode("cp1252"), "save it as CSV (UTF-8)"),
        (b"id,label\na\0b,cat\n", "is not text"),
        (b"PK\x03\x04\x14\x00\x06\x00", "is a workbook or an archive"),
        (b'id,label\na.jpg,cat\n"a.jpg,cat\n', "Line 3 of batch.csv cannot be read"),
        (b'id,label\n"a"b,cat\n', "Line 2 of batch.csv cannot be read"),
        (b"id,label\n" + b"a" * 200_000 + b",cat\n", "Line 2 of batch.csv cannot be read"),
    ],
)
def test_what_is_no_batch_is_one_sentence(content, sentence):
    with pytest.raises(UsageError) as caught:
        said(content)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_would_change_is_told():
    found = said("id,label,decision\na.jpg,cat,\n b.jpg,,skip\n007,NA,\nü.jpg,cat,\n")
    standing = {"a.jpg": "NA", " b.jpg": "cat", "007": "NA"}
    assert listed(changes(found, standing).values()).splitlines()[1:] == [
        "  line 2: 'a.jpg' is 'NA' and would become 'cat'",
        "  line 3: ' b.jpg' is 'cat' and would become skip",
    ]


def test_a_batch_is_filled_in_as_soon_as_anything_stands_there():
    empty = batch_text([("a.jpg", "audit"), ("=e.jpg", "strategy")]).encode()
    assert not is_filled_in(empty, "batch.csv")
    assert is_filled_in(empty.replace(b",,,audit", b",,unsure,audit"), "batch.csv")
    assert is_filled_in(empty.replace(b",,,strategy", b",x,,strategy"), "batch.csv")
    assert [line.number for line in read_lines(empty, "batch.csv")[0]] == [2, 3]
