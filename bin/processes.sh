# What start-cluster.sh and stop-cluster.sh share. They set `root` first.
log="$root/log"

# Whether a process is there: one that has ended, and that nobody has waited for, is not.
is_alive() {
    local state
    state="$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)" || return 1
    [ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ]
}

# Prints the number of the process of this name that these scripts have started, if it runs. Numbers are given again: whatever else has
# the number of the file is none of ours.
process_of() {
    local name=$1 process words
    process="$(cat "$log/$name.pid" 2>/dev/null)" || return 1
    [[ "$process" =~ ^[0-9]+$ ]] && is_alive "$process" || return 1
    words="$(tr '\0' '\n' 2>/dev/null <"/proc/$process/cmdline")" || return 1
    # At first it is the script that becomes the program.
    grep -qxF -e "$root/target/release/flott" -e "$root/bin/flott" <<<"$words" || return 1
    [ "$(tail -n 1 <<<"$words")" = "$name" ] || return 1
    echo "$process"
}
