"""`init`: a commented server file and an example router, never over anything that is there."""

from pathlib import Path

from .schema import text_of
from .show import console, fail

SERVER_NAME = "realtime-router.yaml"
ROUTER_NAME = "routers/support.yaml"
CASES_NAME = "routers/support.cases.json"
SCHEMAS = {"server": ".schema/server.schema.json", "router": ".schema/router.schema.json"}

SERVER = """\
# yaml-language-server: $schema=.schema/server.schema.json
# Every key is optional; what is shown is the default. Check with: realtime-router check realtime-router.yaml
version: 1
server: {host: 127.0.0.1, port: 8080}

# Without keys the router is open, and then only on a loopback address.
# auth:
#   keys:
#     - {id: web, secret: "${RR_KEY_WEB}", routers: ["*"], rpm: 600}

# Absent: every provider whose usual key variable is set (OPENAI_API_KEY, ANTHROPIC_API_KEY, GROQ_API_KEY, ...).
# `demo` and `local` are always there. Once written, only what is listed counts.
# providers:
#   openai: {api_key: "${OPENAI_API_KEY}"}
#   mine:   {kind: openai, base_url: "http://127.0.0.1:9001/v1", api_key: x, allow_private: true}

defaults:
  profile: interactive          # interactive | resilient | patient (long reasoning) | voice
  attempts: {max: 3, retry_budget: 0.2}

routers: [routers]              # folders or files

realtime:
  model: router/support
"""

ROUTER = """\
# yaml-language-server: $schema=../.schema/router.schema.json
# Called as model "router/support". Try:
#   realtime-router explain -c realtime-router.yaml -m router/support -u ann -d tier=vip
router: support
unit: [user, metadata.session_id]        # who is randomised: the first one present
routes:                                  # in order; the first whose condition is true
  - id: premium
    when: tier in ["premium", "vip"]
    variants:                            # weights of a route sum to 100
      - {id: control, weight: 50, model: demo/smart, fallbacks: [demo/fast]}
      - id: treatment
        weight: 50
        model: demo/fast
        parameters: {temperature: 0.3}
default:
  id: default
  variants: [{id: cheap, weight: 100, model: demo/fast}]
fallbacks: [demo/smart]                  # appended to every variant's own
"""

CASES = """\
[
  {"given": {"user": "ann"}, "expect": {"route": "default", "variant": "cheap"}},
  {"given": {"user": "ann", "metadata": {"tier": "vip"}}, "expect": {"route": "premium"}}
]
"""


def run(folder: Path) -> int:
    """Write the files below `folder`; 1 when one of them is there."""
    files = {SERVER_NAME: SERVER, ROUTER_NAME: ROUTER, CASES_NAME: CASES}
    files |= {name: text_of(which) for which, name in SCHEMAS.items()}
    there = [name for name in files if (folder / name).exists()]
    if there:
        return fail(f"{folder / there[0]} is there already; nothing was written")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    out = console()
    out.print(f"wrote {SERVER_NAME}, {ROUTER_NAME} and its golden cases, below {folder}", markup=False)
    out.print(f"next: realtime-router check {folder / SERVER_NAME}", markup=False)
    out.print(f"      realtime-router serve --config {folder / SERVER_NAME}", markup=False)
    return 0
