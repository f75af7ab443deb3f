"""``python -m xnn``: see ``xnn.cli``."""

from xnn.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
