#!/usr/bin/env bash
# Stops what v1_up.sh started.
#
#   v1_down.sh STATE            everything
#   v1_down.sh STATE --wipe     everything, and removes STATE
#   v1_down.sh STATE --letta    only Letta, as in a crash (SIGKILL); its database, Redis and model
#                               stay up, and `v1_up.sh STATE` starts it again
set -uo pipefail
. "$(dirname "$0")/common.sh"
state=$(state_of "${1:?usage: v1_down.sh STATE [--wipe|--letta]}")
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
stop redis KILL
stop llm KILL
stop proxy KILL
stop pg INT # a fast shutdown
[ "${2:-}" != --wipe ] || rm -rf "$state"
exit 0
