"""One street for all rows of a file; whatever the street of a row, the row ends in the checker."""

import pytest

from .raw import ask
from .street import Street


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with Street(tmp_path_factory.mktemp("street")) as street:
        for stream in (True, False):
            assert ask(street, "east/ok@warm", stream=stream).words == 60
        yield street


@pytest.fixture(autouse=True)
def invariants(request):
    """Every row that is played in a street of its module keeps I1 to I12; a street of its own ends with the same."""
    if "street" not in request.fixturenames:
        yield
        return
    street = request.getfixturevalue("street")
    street.witness.begin()
    yield
    street.witness.end()
