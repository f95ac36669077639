"""A short run of the fuzzers, of other inputs than before only when someone asks: the long run is by hand."""

import os
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded as on Linux")

SECONDS = 40
INPUTS = 640


@pytest.mark.slow
def test_damaged_and_hostile_inputs_are_accepted_or_refused_and_nothing_else() -> None:
    pytest.importorskip("praatio")
    from fuzzing import fuzz, table

    first = int(os.environ.get("SPEECHGMM_FUZZ_FIRST", "0"))
    counts = fuzz(INPUTS, first=first, until=time.monotonic() + SECONDS)
    assert not any(count.faults for count in counts.values()), table(counts)
    assert sum(count.accepted for count in counts.values()) > 0.1 * sum(count.n for count in counts.values())
