"""The reference page says what the models say."""

from pathlib import Path

from router.config.models import ServerFile
from router.config.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_kept_page_is_current():
    kept = PAGE.read_text(encoding="utf-8")
    assert kept == reference(), "write it again: python -m router.config.reference > docs/configuration.md"


def test_every_key_of_the_server_file_and_every_profile_stands_there():
    page = reference()
    for name in (*ServerFile.model_fields, "wait_for_retry_after_s", "budget_usd_per_day", "resilient", "rollout"):
        assert f"`{name}`" in page or f".{name}`" in page
    assert "| `timeouts.answer_s` | 90 | 90 | 900 | 10 |" in page
    assert "[Timeouts](#timeouts)" in page


def test_every_key_says_what_it_is_for():
    rows = [line for line in reference().splitlines() if line.startswith("| `") and line.count(" | ") == 3]
    assert len(rows) > 150
    assert [row for row in rows if not row.rpartition(" | ")[2].strip(" |")] == []
