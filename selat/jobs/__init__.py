"""Long work, piece by piece: in this process, in several, or on a Ray cluster, behind one seam."""

from selat.jobs.choose import choose_pool
from selat.jobs.pool import Do, Done, Here, Open, Pool
from selat.jobs.processes import Processes

__all__ = ["Do", "Done", "Here", "Open", "Pool", "Processes", "choose_pool"]
