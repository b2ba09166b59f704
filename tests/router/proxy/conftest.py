"""A server for the SDKs, and OpenAI's client of it; another SDK has a `client` of its own."""

import openai
import pytest

from router.records import Recent

from .house import house, served


@pytest.fixture(scope="module")
def url():
    app, _ = house(records=Recent())
    with served(app) as address:
        yield address


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="secret-web", max_retries=0) as client:
        yield client
