#!/usr/bin/env bash
# Installs Letta Code's App Server from its PyPI wheel into .peers/app-server. Does nothing if that is done
# already. Several may run at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .peers
exec 9>.peers/app-server.lock
flock 9
list=scripts/python-app-server.txt
if ! cmp -s $list .peers/app-server/installed.txt; then
  echo "installing the App Server into .peers/app-server" >&2
  rm -rf .peers/app-server
  python3 -m venv .peers/app-server
  .peers/app-server/bin/python -m pip install -q --disable-pip-version-check -r $list >&2
  cp $list .peers/app-server/installed.txt
fi
