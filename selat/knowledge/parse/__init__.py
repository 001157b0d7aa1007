"""Documents to text: one parser a file type, chosen by the file's name, run in a child process."""

from selat.knowledge.parse.child import Child
from selat.knowledge.parse.parsed import Block, Builder, ParsedText

__all__ = ["SUFFIXES", "VERSION", "Block", "Builder", "Child", "ParsedText"]

VERSION = 6  # of the text that parsing gives: a higher one has documents parsed anew
# The parsers themselves are imported by the child alone: 35 MB that no gateway worker needs.
SUFFIXES = tuple(".txt .text .md .markdown .html .htm .pdf .docx .pptx .xlsx .csv .tsv .eml .zip".split())  # noqa: SIM905
