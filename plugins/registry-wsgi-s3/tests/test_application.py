"""The application's own tests over this driver, of which `make test` runs a part, and `make test-stores` all."""

from __future__ import annotations

from tests import storages


def test_a_part_of_the_application_works_over_s3():
    storages.run_a_part("s3")
