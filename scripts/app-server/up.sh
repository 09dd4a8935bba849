#!/usr/bin/env bash
# Starts a REAL App Server of Letta Code (PyPI letta 0.34.12) on loopback with its local backend and a stub
# model, and prints KEY=value lines on stdout (also in STATE/env):
#   APP_SERVER_URL APP_SERVER_TOKEN AGENT_ID OTHER_AGENT_ID LLM_URL STATE
#
#   up.sh STATE           a folder, or a name for one in .peers
#
# Leaves alone what is already running, so it also restarts what was stopped, in the same state.
#   APP_SERVER_TOKEN      the token that clients must send; default: none
#
# Prompts steer the model: [[sleep S]] [[status CODE]] [[drop]] [[call TOOL {json}]];
# GET $LLM_URL/__calls shows what it was asked.
set -euo pipefail
exec 3>&1 1>&2
here=$(cd "$(dirname "$0")" && pwd)
"$here/install.sh"
VENV=$(cd "$here/../../.peers/app-server" && pwd)
. "$here/../letta/common.sh"
state=$(state_of "${1:?usage: up.sh STATE}")
mkdir -p "$state/home"
state=$(cd "$state" && pwd)
exec 8>"$state/lock"
flock 8

if [ ! -e "$state/settings" ]; then
  read -r port llm_port <<<"$(free_ports 2)"
  printf 'PORT=%s\nLLM_PORT=%s\nTOKEN=%s\n' "$port" "$llm_port" "${APP_SERVER_TOKEN:-}" >"$state/settings"
fi
. "$state/settings"
url=http://127.0.0.1:$PORT

alive llm || start llm "$VENV/bin/python" "$here/../letta/stub_llm.py" --port "$LLM_PORT"
wait_http llm "http://127.0.0.1:$LLM_PORT/v1/models" 120

cd "$state/home"
unset LETTA_API_KEY LETTA_BASE_URL LETTA_AGENT_ID
export HOME=$state/home LETTA_HOME=$state/home/.letta DO_NOT_TRACK=1 LETTA_CODE_TELEM=0 SCARF_ANALYTICS=false
# Nothing outside loopback: any other connection fails at a closed port at once.
export HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1,localhost
# A program of its own, which agents find in their shell as after a usual installation. The installed one names
# the folder that it was installed in, and a clone may be moved.
mkdir -p "$state/bin"
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$VENV/bin/python" "$VENV/bin/letta" >"$state/bin/letta"
chmod +x "$state/bin/letta"
export PATH=$state/bin:$PATH
make_agent() {
  letta agents create --name "$1" --model openai-compatible/gpt-4o-mini --personality blank |
    "$VENV/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["id"])'
}
if [ ! -e "$state/agents" ]; then
  letta backend local
  letta connect openai-compatible --base-url "http://127.0.0.1:$LLM_PORT/v1" --api-key sk-stub
  { make_agent first; make_agent second; } >"$state/agents.new"
  mv "$state/agents.new" "$state/agents"
fi
if ! alive letta; then
  auth=()
  if [ -n "$TOKEN" ]; then
    printf %s "$TOKEN" >"$state/token"
    auth=(--ws-auth capability-token --ws-token-file "$state/token")
  fi
  start letta letta server --listen "ws://127.0.0.1:$PORT" "${auth[@]}"
fi
wait_http letta "$url/readyz" 300
say "the App Server is up at $url"
{ read -r agent; read -r other; } <"$state/agents"
printf 'APP_SERVER_URL=%s\nAPP_SERVER_TOKEN=%s\nAGENT_ID=%s\nOTHER_AGENT_ID=%s\nLLM_URL=http://127.0.0.1:%s\nSTATE=%s\n' \
  "$url" "$TOKEN" "$agent" "$other" "$LLM_PORT" "$state" | tee "$state/env" >&3
