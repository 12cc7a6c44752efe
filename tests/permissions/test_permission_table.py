"""docs/security.md contains the current permission table."""

from tests.permissions.permission_table import PAGE, page_with_table


def test_the_security_page_contains_the_current_table() -> None:
    assert PAGE.read_text() == page_with_table(), "run `make generate`"
