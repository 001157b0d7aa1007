"""Detectors of other makers behind our own seam: their entities as our kinds, imported only when switched on."""
