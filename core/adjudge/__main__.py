"""``python -m adjudge`` is the command ``adjudge``."""

from .cli.app import main

if __name__ == "__main__":
    main()
