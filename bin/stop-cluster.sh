#!/usr/bin/env bash
# Stops what start-cluster.sh has started. Jobs that run end without a savepoint: their last checkpoints stay.
set -euo pipefail
root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
source "$root/bin/processes.sh"
for name in taskmanager jobmanager; do
    if ! process="$(process_of "$name")"; then
        echo "$name does not run"
        rm -f "$log/$name.pid"
        continue
    fi
    # It may end by itself in between.
    kill "$process" 2>/dev/null || true
    for _ in $(seq 100); do
        is_alive "$process" || break
        sleep 0.05
    done
    if is_alive "$process"; then
        kill -9 "$process" 2>/dev/null || true
    fi
    echo "$name has ended"
    rm -f "$log/$name.pid"
done
