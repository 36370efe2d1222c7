"""A sample of the suite of storage drivers, for stores that answer over HTTP."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

# The suite of storage drivers is for stores that answer in microseconds. What takes long over HTTP, or asks the same
# of many paths that no request goes out for, `make test` samples and `make soak` runs whole.
LONG = (
    "test_a_target_is_replaced_in_one_step",
    "test_a_long_list_is_complete",
    "test_a_directory_that_is_made_anew_has_new_pages",
    "test_a_page_shows_every_change_of_another_driver_at_once",
    "test_a_directory_that_others_keep_deleting_can_be_written_into",
)
SAMPLED = {
    "test_an_invalid_path_is_refused_by_every_method": 12,
    "test_pages_of_an_invalid_path_are_refused": 8,
    "test_pages_make_up_the_names_in_byte_order": 5,
    "test_a_page_goes_on_after_any_text": 3,
    "test_a_valid_path_can_be_written_read_and_deleted": 3,
    "test_a_writer_that_has_ended_refuses_everything_but_close": 2,
    "test_any_sequence_of_operations_ends_as_in_a_table": 2,
    "test_what_is_put_is_read_back": 2,
    "test_a_reader_at_or_past_the_end_is_empty": 2,
}
"""Of each of these, one of so many cases."""


def sample(items: Iterable[pytest.Item]) -> None:
    """Leave to `make soak` what is not of the sample."""
    seen: Counter[str] = Counter()
    for item in items:
        name = item.originalname if isinstance(item, pytest.Function) else ""
        if name in LONG or seen[name] % SAMPLED.get(name, 1):
            item.add_marker(pytest.mark.soak)
        seen[name] += 1
