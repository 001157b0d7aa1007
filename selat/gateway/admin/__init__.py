"""The admin API: what the commands do, over HTTP, for callers whose role allows it."""

from selat.gateway.admin.enter import enter

__all__ = ["enter"]
