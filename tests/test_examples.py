"""The runnable examples in docs/examples run, each where its tool is there."""

import re
import shutil
import subprocess
import sys
import wave

import pytest

from tests.test_readme import ROOT, environment, running

EXAMPLES = ROOT / "docs" / "examples"
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A folder and a running router."""
    folder = tmp_path_factory.mktemp("examples")
    with running(folder) as port:
        yield folder, {**environment(folder), "RR_URL": f"http://127.0.0.1:{port}"}


def run(house, *command):
    folder, env = house
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize("name", ["chat.py", "responses.py", "messages.py", "chat.mjs"])
def test_a_chat_streams_and_shows_its_attempts(house, name):
    if name.endswith("mjs") and NODE is None:
        pytest.skip("node is not installed")
    said = run(house, NODE if name.endswith("mjs") else sys.executable, EXAMPLES / name, "count to 3")
    assert "one, two, three." in said
    assert re.search(r"demo/down overloaded \d+ ms\ndemo/fast success \d+ ms", said)


def test_the_voice_client_hears_and_is_heard(house):
    flite = shutil.which("flite")
    if flite is None:
        pytest.skip("flite is not installed")
    folder, _ = house
    run(house, flite, "-voice", "slt", "-t", "hello there", "-o", "hello.wav")
    said = run(house, sys.executable, EXAMPLES / "voice_client.py", "hello.wav", "answer.wav")
    assert "you:" in said
    assert "it:" in said
    with wave.open(str(folder / "answer.wav")) as answer:
        assert answer.getnframes() > answer.getframerate() / 2


def test_the_voice_client_is_short():
    assert len((EXAMPLES / "voice_client.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_a_session_in_inworlds_spelling_answers_with_its_attempts(house):
    said = run(house, sys.executable, EXAMPLES / "inworld_client.py", "count to 3")
    assert "one, two, three" in said
    assert re.search(r"[1-9]\d{3,} bytes of sound", said)
    assert re.search(r"^demo/(fast|smart) success$", said, re.MULTILINE)


@pytest.mark.parametrize("name", ["ab-test.yaml", "fallback.yaml"])
def test_the_router_files_are_good(house, name):
    assert "good: 1 file" in run(house, sys.executable, "-m", "realtime", "check", "--strict", EXAMPLES / name)


def test_the_browser_page_is_sound_and_writes_no_markup():
    page = (EXAMPLES / "browser.html").read_text(encoding="utf-8")
    assert "innerHTML" not in page
    script = page.partition('<script type="module">')[2].partition("</script>")[0]
    if NODE is None:
        pytest.skip("node is not installed")
    done = subprocess.run([NODE, "--input-type=module", "--check"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_systemd_unit_verifies(tmp_path):
    analyze = shutil.which("systemd-analyze")
    unit = (EXAMPLES / "realtime-router.service").read_text(encoding="utf-8")
    assert {"[Unit]", "[Service]", "[Install]"} <= set(unit.splitlines())
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "realtime-router.service"
    path.write_text(unit.replace("/opt/realtime-router/bin/realtime-router", "/bin/true"), encoding="utf-8")
    done = subprocess.run([analyze, "verify", "--man=no", str(path)], capture_output=True, text=True)
    assert "realtime-router.service" not in done.stderr
