"""Schema fuzz of the whole API: whatever is sent, no 5xx, and every answer is one that the document describes.

What the document calls valid is accepted, or names a model that nobody has (404); `UNSAID` lists what no schema says.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import figures
from .matrix import row
from .street import Street

WRITER = "sk-canary-writer-55aa"
UNSAID = {  # path and methods: why a request that fits the schema may be a 400
    "/router/v1/routers": "conditions must compile, weights must make a whole, names must be of the catalogue",
    "/router/v1/routers/{router_id}": "the same",
    "/v1/router/feedback": "a metric must be one of the router's own",
    "/v1/messages": "blocks are of many kinds, each with rules of its own, which are Anthropic's to write down",
    "/v1/messages/count_tokens": "the same",
    "/v1/responses": "items are of many kinds, each with rules of its own, which are OpenAI's to write down",
    "/v1/responses/input_tokens": "the same",
}
PROGRAM = Path(sys.executable).parent / "schemathesis"


def without_acceptance(path):
    return f'[[operations]]\ninclude-path = "{path}"\nchecks.positive_data_acceptance.enabled = false\n'


@pytest.mark.skipif(not PROGRAM.exists() and not shutil.which("schemathesis"), reason="schemathesis is not installed")
def test_60_the_whole_api_conforms_to_its_document(tmp_path):
    with Street(tmp_path, keys=f"- {{id: writer, secret: {WRITER}, write: true}}") as street:
        street.witness.unheard = True
        (tmp_path / "schemathesis.toml").write_text("".join(without_acceptance(path) for path in UNSAID))
        done = subprocess.run(
            [
                str(PROGRAM),
                "run",
                f"{street.url}/openapi.json",
                "--header",
                f"Authorization: Bearer {WRITER}",
                "--max-examples",
                "20",
                "--seed",
                "1",
                "--phases",
                "examples,coverage,fuzzing",
                "--continue-on-failure",
                "--request-timeout",
                "10",
                "--no-color",
                "--suppress-health-check",
                "all",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        figures.keep(row(60), done.returncode, "findings")
        assert "Traceback" not in street.stderr.read_text()
