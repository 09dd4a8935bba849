#!/usr/bin/env bash
# Stops what up.sh started.
#
#   down.sh STATE            everything
#   down.sh STATE --wipe     everything, and removes STATE
#   down.sh STATE --letta    only the App Server, as in a crash (SIGKILL); `up.sh STATE` starts it again
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../letta/common.sh"
state=$(state_of "${1:?usage: down.sh STATE [--wipe|--letta]}")
[ -d "$state" ] || exit 0
# Wait for a start that is in progress, so that nothing of it stays behind.
exec 8>"$state/lock"
flock 8
case ${2:-} in
  --letta) stop letta KILL; exit 0 ;;
  --wipe | '') ;;
  *) die "unknown option $2" ;;
esac
stop letta KILL
stop llm KILL
[ "${2:-}" != --wipe ] || rm -rf "$state"
exit 0
