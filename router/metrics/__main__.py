"""`python -m router.metrics > docs/metrics.md`."""

import sys

from .reference import reference

if __name__ == "__main__":
    sys.stdout.write(reference())
