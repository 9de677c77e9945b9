"""CSV of the bulk interfaces: where rows end, and what their cells mean."""

from streams.wire.sheets import in_batches, rows_of, typed, whole_rows


def test_a_line_break_inside_of_quotes_ends_no_row() -> None:
    data = b'id,note\n1,"two\nlines"\n2,"cut\noff'
    assert data[: whole_rows(data)] == b'id,note\n1,"two\nlines"\n'
    assert whole_rows(b'1,"never ends\nat all') == 0
    assert list(rows_of(data[: whole_rows(data)])) == [["id", "note"], ["1", "two\nlines"]]


def test_nuls_and_carriage_returns_belong_to_nothing() -> None:
    assert list(rows_of(b"\xef\xbb\xbfid,name\r\n1,A\x00da\r\n")) == [["id", "name"], ["1", "Ada"]]


def test_cells_are_what_a_read_would_give() -> None:
    types = {"a": "boolean", "b": "integer", "c": "currency", "d": "string", "e": "double", "f": "integer"}
    row = ["true", "12", "1.5", "007", "null", "none of it"]
    told = typed(list(types), row, types, empty="null")
    assert told == {"a": True, "b": 12, "c": 1.5, "d": "007", "e": None, "f": "none of it"}


def test_the_last_batch_is_known_as_such_also_where_it_is_full_or_empty() -> None:
    def told(count: int) -> list[tuple[int, bool]]:
        return [(len(part), last) for part, last in in_batches(iter([["1"]] * count), 2)]

    assert told(0) == [(0, True)]
    assert told(2) == [(2, True)]
    assert told(5) == [(2, False), (2, False), (1, True)]
