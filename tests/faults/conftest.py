"""One street for all rows of a file; what it has left behind is looked at in the end."""

import pytest

from .checker import ask, check_traces
from .street import Street


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with Street(tmp_path_factory.mktemp("street")) as street:
        for stream in (True, False):
            assert ask(street, "east/ok@warm", stream=stream).words == 60
        yield street
        check_traces(street)
