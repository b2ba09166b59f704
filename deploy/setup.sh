#!/bin/sh
# deploy/setup.sh PYTHON VENV run|test: an environment that is complete, made once; the second time nothing is fetched.
set -eu
python=$1 venv=$2 purpose=$3
here=$(cd "$(dirname "$0")/.." && pwd)
say() { printf '%s\n' "setup: $*"; }
fail() { printf '%s\n' "setup: $*" >&2; exit 1; }

# --- an interpreter that is new enough: the one asked for, else the newest that is installed
works() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null; }
if ! works "$python"; then
    for other in python3.13 python3.12 python3.11; do works "$other" && { python=$other; break; }; done
    works "$python" || fail "needs Python 3.11 or newer; '$1' is $("$1" --version 2>&1 || echo 'not there'). Try: make $purpose PYTHON=/path/to/python3.11"
fi

# --- Debian packages, where we may: speech for run, peers of the tests for test
missing=
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"; }
need flite flite
if [ "$purpose" = test ]; then
    need redis-server redis-server
    need prometheus prometheus
    need nginx nginx
    need chromium chromium
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        say "not on Debian, skipped:$missing (tests and voices that need them are skipped, too)"
    elif [ "$(id -u)" != 0 ]; then
        say "not root, skipped: apt-get install$missing (tests and voices that need them are skipped, too)"
    else
        say "installing Debian packages:$missing"
        log=$(mktemp)
        # services must not start: the tests bring their own
        policy=/usr/sbin/policy-rc.d
        made=
        [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made=1; }
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
            >"$log" 2>&1 || { tail -3 "$log"; say "some packages could not be installed:$missing"; }
        [ -z "$made" ] || rm -f $policy
        rm -f "$log"
    fi
fi

# --- the environment
"$python" -c 'import ensurepip, venv' 2>/dev/null || [ -x "$venv/bin/python" ] ||
    fail "this Python cannot make environments; on Debian: apt-get install python3-venv"
if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

# --- packages: exactly those of the lock, by hash
lock="$here/requirements.lock"
[ "$purpose" = test ] || lock="$here/deploy/run.lock"
stamp="$venv/.lock-$purpose"
wanted=$(cat "$lock" "$here/pyproject.toml" | cksum)
if [ "$(cat "$stamp" 2>/dev/null || :)" != "$wanted" ]; then
    say "installing the packages of ${lock#"$here/"} (about a minute)"
    pip install -qq --require-hashes -r "$lock"
    say "installing realtime-router itself, editable"
    pip install -qq --no-deps --no-build-isolation -e "$here"
    printf '%s\n' "$wanted" >"$stamp"
fi
"$venv/bin/python" -c 'import policies, router, realtime' || fail "the packages do not import; remove $venv and try again"
say "ready: $venv ($purpose)"
