"""`health`: is a running router ready?"""

import httpx

from .show import console, fail


def run(url: str) -> int:
    """0 when `/readyz` answers 200."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/readyz", timeout=3, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return fail(f"{url} does not answer: {error}")
    if answer.status_code != 200:
        return fail(f"{url} is not ready: {answer.status_code} {answer.text[:200]}")
    console().print("ready")
    return 0
