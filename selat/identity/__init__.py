"""Turns a credential into a Caller: tenants, their purposes, and API keys that are stored hashed."""

from selat.identity.identify import Identify
from selat.identity.keys import NOT_ACCEPTED, KeyRecord, Keys, KeyWish, NewKey
from selat.identity.secret import PREFIX as KEY_PREFIX
from selat.identity.secret import Presented, new_secret
from selat.identity.tenants import DEFAULT_PURPOSES, Purpose, Tenant

__all__ = [
    "DEFAULT_PURPOSES",
    "KEY_PREFIX",
    "NOT_ACCEPTED",
    "Identify",
    "KeyRecord",
    "KeyWish",
    "Keys",
    "NewKey",
    "Presented",
    "Purpose",
    "Tenant",
    "new_secret",
]
