"""Stand-ins for tests, ours and plugin authors': an echoing engine, a scripted real upstream, a fixed clock."""

from selat.testing.clock import FixedClock
from selat.testing.echo import EchoEngine
from selat.testing.upstream import Received, Upstream

__all__ = ["EchoEngine", "FixedClock", "Received", "Upstream"]
