"""`python -m selat` is the `selat` command."""

from selat.cli import main

# A process that the prover spawns imports this module too, under another name.
if __name__ == "__main__":
    main()
