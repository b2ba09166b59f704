import subprocess
import sys

import pytest

import router


def test_the_front_door_is_sorted_and_complete():
    assert router.__all__ == sorted(router.__all__)
    assert set(router.__all__) <= set(dir(router))
    for name in router.__all__:
        assert getattr(router, name).__name__ == name


def test_what_is_not_exported_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Manager'"):
        _ = router.Manager


def test_importing_the_package_is_light():
    said = "import sys, router; print([m for m in ('pydantic', 'asyncio', 'orjson', 'policies') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    used = "from router import Router; import sys; print('fastapi' in sys.modules, 'litellm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", used], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
