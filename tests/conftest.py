"""For all tests: the databases that tables are tested on, and bytecode for the processes that tests start."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["databases"]

# They are hundreds. Where the environment forbids bytecode beside the sources, each would compile all of Selat
# anew, a third of the CPU of a short command: it is kept apart instead.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parents[1] / ".make" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# How long an example takes says what else the machine does, not whether the law holds. The examples are the same
# each time: a run by which a change is judged says the same of the same change.
settings.register_profile("selat", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("selat")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The doors first: their files take longest, and none of them shall be what all else has to wait for."""
    items.sort(key=lambda item: "doors" not in item.path.parts)
