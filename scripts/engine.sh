#!/usr/bin/env bash
# A Docker engine with Compose for the live tests: `start` takes the one that answers, or installs
# and starts Debian's; `stop` stops an engine that `start` started, and no other.
set -euo pipefail

STATE=${SRE_ENGINE_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/sre-autopilot/engine}
PID_FILE=$STATE/dockerd.pid
LOG=$STATE/dockerd.log
START_TIMEOUT_S=60
STOP_TIMEOUT_S=60

answers() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

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

install_packages() {
    command -v dockerd >/dev/null && command -v docker >/dev/null && return
    command -v apt-get >/dev/null || cannot_start "dockerd is not installed and there is no apt-get"
    local packages=(docker.io)
    apt-get -qq update
    # Newer Debian has the client in a package of its own.
    apt-cache show docker-cli >/dev/null 2>&1 && packages+=(docker-cli)
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${packages[@]}" \
        >"$STATE/install.log" 2>&1 \
        || give_up "Debian's packages did not install:" "$(tail -n 20 "$STATE/install.log")"
    hash -r
}

# Compose v2 is in Debian 13; an older one takes it from there, and nothing else.
install_compose() {
    docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1 && return
    local advice="install Compose v2 and buildx" from_trixie=()
    [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || give_up "docker compose is missing: $advice"
    mkdir -p "$STATE"
    apt-get -qq update
    if ! apt-cache policy docker-compose | grep -q 'Candidate: 2'; then
        # Newer than its lists: derived from the machine's own, so that no address is written here.
        local list=/etc/apt/sources.list.d/trixie-for-compose codename
        codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
        # The star covers trixie-security and trixie-updates: packages from there would break others.
        printf 'Package: *\nPin: release n=trixie*\nPin-Priority: -10\n' \
            >/etc/apt/preferences.d/trixie-for-compose
        if [[ -f /etc/apt/sources.list.d/debian.sources ]]; then
            sed "s/$codename/trixie/g" /etc/apt/sources.list.d/debian.sources >"$list.sources"
        else
            sed "s/$codename/trixie/g" /etc/apt/sources.list >"$list.list"
        fi
        apt-get -qq update
        from_trixie=(-t trixie)
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        "${from_trixie[@]}" docker-compose docker-buildx >"$STATE/install.log" 2>&1 \
        || give_up "Compose did not install ($advice):" "$(tail -n 20 "$STATE/install.log")"
}

start() {
    if answers >/dev/null; then
        echo "engine $(answers) answers"
        install_compose
        return
    fi
    [[ -z ${DOCKER_HOST:-} ]] || cannot_start "DOCKER_HOST names one that does not answer"
    [[ $(uname -s) == Linux ]] || cannot_start "this is not Linux"
    [[ $EUID -eq 0 ]] || cannot_start "that takes root"
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
