"""The program's door: answers --version at once, and turns every ending into the one table of exit codes."""

import sys

OK, DENIED, WRONG_USE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def main() -> int:
    """Run the command line; returns 0 allowed or fine, 1 denied, 2 wrong use, 3 our own failure, 130 interrupted."""
    if sys.argv[1:] == ["--version"]:
        from muniment import __version__

        sys.stdout.write(f"muniment {__version__}\n")
        return OK
    from muniment.cli.running import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
