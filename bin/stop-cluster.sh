#!/usr/bin/env bash
# Stops what start-cluster.sh has started. Jobs that run end without a savepoint: their last checkpoints stay.
set -euo pipefail
log="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/log"
for name in taskmanager jobmanager; do
    file="$log/$name.pid"
    if [ ! -f "$file" ] || ! kill -0 "$(cat "$file")" 2>/dev/null; then
        echo "$name does not run"
        continue
    fi
    process="$(cat "$file")"
    kill "$process"
    for _ in $(seq 100); do
        kill -0 "$process" 2>/dev/null || break
        sleep 0.05
    done
    kill -9 "$process" 2>/dev/null || true
    echo "$name has ended"
    rm -f "$file"
done
