"""`python -m grafana.build`: writes dashboards and rules from boards.py and rules.py."""

import json
from pathlib import Path

import yaml

from .boards import BOARDS
from .rules import alerts_document, recording_document

HERE = Path(__file__).parent
MADE = "# Made by: python -m grafana.build\n"


def files() -> dict[Path, str]:
    """Every made file with its content."""
    boards = {HERE / "dashboards" / f"{name}.json": board.document() for name, board in BOARDS.items()}
    rules = {"recording": recording_document(), "alerts": alerts_document()}
    return {path: json.dumps(document, indent=1, ensure_ascii=False) + "\n" for path, document in boards.items()} | {
        HERE / "rules" / f"{name}.yaml": MADE + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
        for name, document in rules.items()
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(HERE.parent))
