#!/usr/bin/env bash
# A Docker engine with Compose for the live tests: `start` takes the one that answers, or installs
# and starts Debian's; `stop` stops an engine that `start` started, and no other.
set -euo pipefail

STATE=${SRE_ENGINE_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/sre-autopilot/engine}
PID_FILE=$STATE/dockerd.pid
LOG=$STATE/dockerd.log
APT_LOCK_TIMEOUT_S=${SRE_APT_LOCK_TIMEOUT_S:-300}
START_TIMEOUT_S=60
STOP_TIMEOUT_S=60

# A Mac has no `timeout`.
answers() {
    $(command -v timeout >/dev/null && echo timeout 10) \
        docker version --format '{{.Server.Version}}' 2>/dev/null
}

give_up() {
    printf '%s\n' "$@" >&2
    exit 1
}

cannot_start() {
    give_up "No Docker engine answers, and none can be started here: $1." \
        "Start yours (Docker Desktop, or: sudo systemctl start docker), or let DOCKER_HOST name" \
        "one. As root on Debian, 'make engine' installs and starts one by itself."
}

# The process that `start` left behind, if it is still there: a pid alone may be another's by now.
own_pid() {
    local pid
    pid=$(cat "$PID_FILE" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] \
        && printf '%s' "$pid"
}

# apt-get, which waits where another program holds its lock.
apt() {
    local deadline=$((SECONDS + APT_LOCK_TIMEOUT_S)) log=$STATE/apt.log waiting=
    until LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@" >"$log" 2>&1; do
        grep -q 'Could not get lock' "$log" || give_up "apt-get failed ($*):" "$(tail -n 20 "$log")"
        ((SECONDS < deadline)) \
            || give_up "Another program holds apt's lock since ${APT_LOCK_TIMEOUT_S} s:" "$(<"$log")"
        [[ -n $waiting ]] \
            || echo "another program holds apt's lock: waiting for it, ${APT_LOCK_TIMEOUT_S} s at most"
        waiting=yes
        sleep 1
    done
}

install_packages() {
    command -v dockerd >/dev/null && command -v docker >/dev/null && return
    command -v apt-get >/dev/null || cannot_start "dockerd is not installed and there is no apt-get"
    local packages=(docker.io)
    apt update
    # Newer Debian has the client in a package of its own.
    apt-cache show docker-cli >/dev/null 2>&1 && packages+=(docker-cli)
    apt --no-install-recommends install "${packages[@]}"
    hash -r
}

# Compose v2 is in Debian 13; an older Debian takes it from there, and nothing else.
install_compose() {
    docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1 && return
    local advice="docker compose is missing: install Compose v2 and buildx" packages
    [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || give_up "$advice"
    mkdir -p "$STATE"
    packages=(docker-compose docker-buildx)
    apt update
    if ! apt-cache policy docker-compose | grep -q 'Candidate: 2'; then
        [[ $(. /etc/os-release && echo "$ID") == debian ]] || give_up "$advice"
        fetch_from_trixie "${packages[@]}"
        packages=("$STATE"/trixie/*.deb)
    fi
    apt --no-install-recommends install "${packages[@]}"
    rm -rf "$STATE/trixie"
}

# Packages of a newer Debian, as files: with lists and a cache of their own, so that no other
# package of this machine ever has a candidate there.
fetch_from_trixie() {
    local folder=$STATE/trixie codename sources=/etc/apt/sources.list list=sources.list
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    rm -rf "$folder"
    mkdir -p "$folder"/{lists,cache,parts}
    if [[ -f /etc/apt/sources.list.d/debian.sources ]]; then
        sources=/etc/apt/sources.list.d/debian.sources list=parts/debian.sources
    fi
    # Derived from the machine's own list, so that no address is written here.
    sed "s/$codename/trixie/g" "$sources" >"$folder/$list"
    local own=(
        -o "Dir::Etc::SourceList=$folder/sources.list" -o "Dir::Etc::SourceParts=$folder/parts"
        -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache"
    )
    apt "${own[@]}" update
    cd "$folder"
    apt "${own[@]}" download "$@"
    cd - >/dev/null
}

start() {
    if answers >/dev/null; then
        echo "engine $(answers) answers"
        install_compose
        return
    fi
    [[ -z ${DOCKER_HOST:-} ]] || cannot_start "DOCKER_HOST names one that does not answer"
    [[ $(uname -s) == Linux ]] || cannot_start "this is not Linux"
    [[ $(id -u) -eq 0 ]] || cannot_start "that takes root"
    mkdir -p "$STATE"
    install_packages
    install_compose
    # Where there is a service manager, the package has just had it start the engine.
    if ! answers >/dev/null; then
        # A number that another process has by now would keep dockerd from starting.
        own_pid >/dev/null || rm -f "$PID_FILE"
        setsid dockerd --pidfile "$PID_FILE" >"$LOG" 2>&1 </dev/null &
        wait_for_answer $!
        local started="; started here (pid file: $PID_FILE, log: $LOG)"
    fi
    echo "engine $(answers) answers${started:-}"
}

wait_for_answer() {
    local deadline=$((SECONDS + START_TIMEOUT_S))
    until answers >/dev/null; do
        kill -0 "$1" 2>/dev/null || give_up "dockerd ended; its log:" "$(tail -n 20 "$LOG")"
        ((SECONDS < deadline)) || give_up "dockerd does not answer; its log:" "$(tail -n 20 "$LOG")"
        sleep 0.2
    done
}

stop() {
    local pid deadline=$((SECONDS + STOP_TIMEOUT_S))
    if ! pid=$(own_pid); then
        echo "no engine was started here"
        return
    fi
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        ((SECONDS < deadline)) || give_up "dockerd (process $pid) does not stop; its log: $LOG"
        sleep 0.2
    done
    rm -f "$PID_FILE"
    echo "the engine that was started here has stopped"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    *) give_up "usage: $0 start|stop" ;;
esac
