"""`python -m realtime` is the command `realtime-router`."""

from .cli import main

if __name__ == "__main__":
    main()
