"""A short run of `make fuzz-readers`, with a seed of its own."""

import pytest

from tests.fuzz_readers import READERS, fuzz_readers


@pytest.mark.slow
def test_damaged_files_are_taken_or_refused_in_one_line():
    found = fuzz_readers(40 * len(READERS), seed=11)
    assert set(found) >= set(READERS) - {"recording"}  # which needs faery
    assert {kind: each.faults for kind, each in found.items() if each.faults} == {}
    for kind, each in found.items():
        assert each.taken + each.refused == 40
        assert each.refused > 10, kind
    assert sum(each.taken for each in found.values()) > 50
