"""docs/security.md shows the table that the matrix proves."""

from tests.permissions.page import PAGE, written


def test_the_page_has_the_table_that_the_matrix_proves() -> None:
    assert PAGE.read_text() == written(), "run `make generate`"
