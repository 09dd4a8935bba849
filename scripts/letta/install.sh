#!/usr/bin/env bash
# Installs Letta 0.16.8, Postgres 16 with pgvector and Redis, all from pip wheels, into $VENV, and
# creates an empty database in $peers/pg-template to copy from. Does nothing if that is done already.
# Several may run at once.
set -euo pipefail
. "$(dirname "$0")/common.sh"
mkdir -p "$peers" "$(dirname "$VENV")"
chmod 755 "$peers"

find_python() {
  local python
  for python in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    "$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
      2>/dev/null && { command -v "$python"; return; }
  done
  local hint="install Python 3.11, 3.12 or 3.13 with its venv module"
  if is_root && command -v apt-get >/dev/null; then hint="apt-get install python3 python3-venv"; fi
  die "no usable Python (3.11 to 3.13, with venv) was found: $hint, or name one in PYTHON"
}

exec 9>"$peers/install.lock"
flock 9

# A venv without the mark is incomplete; one named in VENV is used as it is.
if [ ! -e "$VENV/.complete" ] && ! { [ "$VENV" != "$peers/letta-venv" ] && [ -x "$VENV/bin/letta" ]; }; then
  python=$(find_python)
  say "installing Letta into $VENV with $python; this takes a few minutes, once"
  rm -rf "$VENV"
  "$python" -m venv "$VENV"
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check -U pip >&2
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-deps \
    -r "$here/v1-requirements.txt" >&2
  touch "$VENV/.complete"
  say "installed"
fi

if [ ! -e "$peers/pg-template/.complete" ]; then
  say "creating an empty database"
  state=$peers/template
  rm -rf "$state" "$peers/pg-template"
  mkdir -p "$state" "$peers/pg-template"
  chmod 755 "$state"
  if is_root; then chown 65534:65534 "$peers/pg-template"; fi
  as_postgres "$(pg_bin)/initdb" -D "$peers/pg-template" -U letta -A trust -E UTF8 --no-sync >/dev/null
  port=$(free_ports 1)
  start_postgres "$peers/pg-template" "$port"
  "$(pg_bin)/psql" -qh 127.0.0.1 -p "$port" -U letta postgres -c 'create database letta' >&2
  mkdir -p "$state/home"
  HOME=$state/home LETTA_DIR=$state/home LETTA_PG_URI="postgresql://letta@127.0.0.1:$port/letta" \
    "$VENV/bin/python" "$here/init_db.py" >&2
  stop pg INT
  as_postgres touch "$peers/pg-template/.complete"
  rm -rf "$state"
  say "created"
fi
