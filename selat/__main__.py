"""`python -m selat` is the `selat` command."""

from selat.cli import main

main()
