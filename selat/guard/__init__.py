"""Finds, masks and restores personal and secret data, in Bahasa Malaysia, English, Chinese and Tamil."""

from selat.guard.answers import Answers
from selat.guard.kinds import FLAGS, KINDS, Kind, read_kinds
from selat.guard.mask import Mask, Restorer
from selat.guard.redactor import StreamRedactor
from selat.guard.scanner import Detector, Guard
from selat.guard.stream import StreamScanner
from selat.guard.told import scan_json

__all__ = [
    "FLAGS",
    "KINDS",
    "Answers",
    "Detector",
    "Guard",
    "Kind",
    "Mask",
    "Restorer",
    "StreamRedactor",
    "StreamScanner",
    "read_kinds",
    "scan_json",
]
