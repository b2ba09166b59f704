"""What all Python drivers share: their argument, and facts as one JSON line each."""

import json
import sys

GIVEN = json.loads(sys.argv[1])


def tell(**facts):
    """Report facts to the test."""
    print(json.dumps(facts, default=repr), flush=True)
