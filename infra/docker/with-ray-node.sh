#!/bin/bash
# Run a command on a node of the Ray cluster at RAY_HEAD (HOST:PORT): a driver must be on one. The node offers nothing.
# When either ends, so does the other: whoever restarts containers then restarts both.
set -u
coproc NODE { exec ray start --block --disable-usage-stats --address="$RAY_HEAD" --num-cpus=0 --num-gpus=0 2>&1; }
node=$NODE_PID
exec {said}<&"${NODE[0]}"
joined=
while [ -z "$joined" ] && IFS= read -r line <&"$said"; do
  echo "$line"
  case $line in *"Ray runtime started"*) joined=yes ;; esac
done
if [ -z "$joined" ]; then
  echo "there is no Ray cluster to join at $RAY_HEAD" >&2
  exit 1
fi
cat <&"$said" &
"$@" &
command=$!
trap 'kill -TERM "$command" 2>/dev/null' TERM INT
wait -n "$node" "$command"
code=$?
kill -TERM "$command" 2>/dev/null
wait "$command"
kill -TERM "$node" 2>/dev/null
wait "$node"
exit "$code"
