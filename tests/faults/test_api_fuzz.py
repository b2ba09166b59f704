"""Schema fuzz of the whole API: whatever is sent, no 5xx, and every answer is one that the document describes.

`positive_data_acceptance` is left out: a request may fit the schema and still name a model that nobody has.
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
PROGRAM = Path(sys.executable).parent / "schemathesis"


@pytest.mark.skipif(not PROGRAM.exists() and not shutil.which("schemathesis"), reason="schemathesis is not installed")
def test_60_the_whole_api_conforms_to_its_document(tmp_path):
    with Street(tmp_path, keys=f"- {{id: writer, secret: {WRITER}, write: true}}") as street:
        street.witness.unheard = True
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
                "--exclude-checks",
                "positive_data_acceptance",
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
