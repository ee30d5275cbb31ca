#!/usr/bin/env bash
# Starts a JobManager and a TaskManager on this machine. What they log and print goes to the folder log, unless env.log.dir is set.
set -euo pipefail
root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
source "$root/bin/processes.sh"
mkdir -p "$log"

# What the user has configured is left as it is.
configured="$("$root/bin/flott" config)"
is_set() { grep -q "^$1:" <<<"$configured"; }
logs="$log"
defaults=()
if is_set env.log.dir; then
    logs="the folder env.log.dir"
else
    defaults+=("-Denv.log.dir=$log")
fi
is_set jobmanager.archive.fs.dir || defaults+=("-Djobmanager.archive.fs.dir=$root/history")

# Starts the process of this name, unless it runs, and waits until it has printed a text.
start() {
    local name=$1 text=$2 process
    if process="$(process_of "$name")"; then
        echo "$name runs already (process $process)"
        return
    fi
    # The process writes its log itself and puts old ones aside; this holds what it says before that, and panics.
    nohup "$root/bin/flott" "${defaults[@]}" "$name" >"$log/$name.start" 2>&1 </dev/null &
    process=$!
    echo "$process" >"$log/$name.pid"
    for _ in $(seq 600); do
        if grep -q "$text" "$log/$name.start"; then
            grep -E "$text|REST at" "$log/$name.start" | tail -n 2
            return
        fi
        if ! is_alive "$process"; then
            echo "$name has ended:" >&2
            tail -n 5 "$log/$name.start" >&2
            exit 1
        fi
        sleep 0.05
    done
    echo "$name does not come up; see $log/$name.start and its log in $logs" >&2
    exit 1
}

start jobmanager "JobManager at"
start taskmanager "registered at"
