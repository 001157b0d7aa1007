"""`python -m selat.testing [PORT]`: the scripted upstream, by hand; its URL is printed first."""

from __future__ import annotations

import contextlib
import sys

from selat.testing.upstream import Upstream

with Upstream(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0) as upstream:
    sys.stdout.write(upstream.url + "\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        upstream.wait()
