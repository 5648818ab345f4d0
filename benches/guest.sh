# shellcheck shell=bash
# Boots User-Mode Linux and ends it: sourced by benches/million/run and tests/ktls/run.

guest=''

# The last of the cores this shell may use. A guest gets one core: each system call in it hands over between two host
# processes, which takes half the time when neither has to be woken on another core.
last_cpu() { taskset -cp $$ | grep -o '[0-9]*$'; }

guests_folder=$(dirname "${BASH_SOURCE[0]}")

host_available_mib() { awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo; }

# The guest is a process group of its own: the kernel and one host process for each guest process.
end_guest() {
    [ -n "$guest" ] || return 0
    kill -KILL -- "-$guest" 2>/dev/null || true
    wait "$guest" 2>/dev/null || true
    for _ in {1..100}; do # freeing gigabytes takes a moment
        kill -0 -- "-$guest" 2>/dev/null || break
        sleep 0.1
    done
    guest=''
}

# boot_guest FOLDER CPU SECONDS ARGUMENT..: runs a guest to its end, at most for so long. Its memory and its kernel's
# log lie in FOLDER, its console (descriptor 3) is our standard output.
boot_guest() {
    local work=$1 cpu=$2 seconds=$3 started=$SECONDS
    shift 3
    # Where there is no compiler it may start all the same.
    cc -O1 -shared -fPIC -o "$work/fpstate.so" "$guests_folder/fpstate.c" 2>/dev/null || true
    LD_PRELOAD=$([ ! -e "$work/fpstate.so" ] || echo "$work/fpstate.so") TMPDIR=$work setsid taskset -c "$cpu" linux.uml "$@" uml_dir="$work/" umid=guest \
        con=null con0=null,fd:3 ssl=null loglevel=3 panic=-1 \
        </dev/null 3>&1 >"$work/kernel.log" 2>&1 &
    guest=$!
    while kill -0 "$guest" 2>/dev/null; do
        sleep 1
        if [ $((SECONDS - started)) -gt "$seconds" ]; then
            echo "  host: not done after $seconds s, the guest is killed"
            break
        elif [ "$(host_available_mib)" -lt 768 ]; then
            echo "  host: memory runs out, the guest is killed"
            break
        fi
    done
    end_guest
}
