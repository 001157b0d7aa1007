"""`selat`, and `python -m selat`: a person may press Ctrl-C before the command is even read in."""

import sys


def main() -> None:
    """Run the command. Exit codes: as those of `selat.cli.main`."""
    try:
        from selat.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("selat: stopped by Ctrl-C before it began\n")
        raise SystemExit(130) from None
    run()


# A process that the prover spawns imports this module too, under another name.
if __name__ == "__main__":
    main()
