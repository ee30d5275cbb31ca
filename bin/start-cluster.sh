#!/usr/bin/env bash
# Starts a JobManager and a TaskManager on this machine. What they log and print goes to the folder log.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
log="$root/log"
mkdir -p "$log"

# Starts a process: its name, then the arguments of flott.
start() {
    local name=$1
    shift
    if [ -f "$log/$name.pid" ] && kill -0 "$(cat "$log/$name.pid")" 2>/dev/null; then
        echo "$name runs already (process $(cat "$log/$name.pid"))"
        return
    fi
    nohup "$root/bin/flott" "-Denv.log.dir=$log" "$@" >>"$log/flott-$name.out" 2>>"$log/flott-$name.log" </dev/null &
    echo $! >"$log/$name.pid"
}

# Waits until a process has logged a text.
await() {
    local name=$1 text=$2 file=$3 from=$4
    for _ in $(seq 100); do
        if tail -c "+$from" "$file" 2>/dev/null | grep -q "$text"; then
            tail -c "+$from" "$file" | grep -E "$text|REST at" | tail -n 2
            return
        fi
        if ! kill -0 "$(cat "$log/$name.pid")" 2>/dev/null; then
            echo "$name has ended:" >&2
            tail -n 5 "$log/flott-$name.log" >&2
            exit 1
        fi
        sleep 0.05
    done
    echo "$name does not come up; see $log/flott-$name.log" >&2
    exit 1
}

size() { if [ -f "$1" ]; then echo $(($(wc -c <"$1") + 1)); else echo 1; fi; }

out="$(size "$log/flott-jobmanager.out")"
running="$(cat "$log/jobmanager.pid" 2>/dev/null || true)"
start jobmanager "-Djobmanager.archive.fs.dir=$root/history" jobmanager
[ "$(cat "$log/jobmanager.pid")" = "$running" ] || await jobmanager "JobManager at" "$log/flott-jobmanager.out" "$out"
logged="$(size "$log/flott-taskmanager.log")"
running="$(cat "$log/taskmanager.pid" 2>/dev/null || true)"
start taskmanager taskmanager
[ "$(cat "$log/taskmanager.pid")" = "$running" ] || await taskmanager "registered at the JobManager" "$log/flott-taskmanager.log" "$logged"
