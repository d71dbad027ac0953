#!/usr/bin/env bash
# Makes sure that the engine has the one base image: it does, or a registry gives it, or it is
# made of Debian's own packages, as the official image is. In the last case the machine's own
# settings go in as well (mirrors, pip's index, an extra certificate authority), so that builds
# work where this machine's downloads work. It is for this machine, then: never push it.
set -euo pipefail

IMAGE=debian:trixie-slim
SUITE=trixie
PULL_TIMEOUT_S=120

give_up() {
    printf '%s\n' "$@" >&2
    exit 1
}

# The mirror that this machine's packages come from, so that no address is written down here.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
        'Component: main' 2>/dev/null | grep -v -e security -e backports | head -n 1
}

copy_apt_settings() {
    apt-config dump | grep -E '^Acquire::https?::Proxy' >"$1/etc/apt/apt.conf.d/80machine" || true
}

# Only indexes that a container can reach: folders of this machine are not there.
copy_pip_settings() {
    local key name value
    echo "[global]" >"$1/etc/pip.conf"
    for key in index-url extra-index-url trusted-host; do
        name=PIP_${key^^} name=${name//-/_}
        value=${!name:-$(python3 -m pip config get "global.$key" 2>/dev/null || true)}
        value=$(tr -s ' \n' '\n\n' <<<"$value" | grep -v '^file:' | paste -sd ' ') || true
        [[ -z $value ]] || echo "$key = $value" >>"$1/etc/pip.conf"
    done
}

from_packages() {
    [[ $EUID -eq 0 ]] || give_up "$IMAGE can be neither pulled nor made here: making it takes root."
    command -v apt-get >/dev/null || give_up "$IMAGE can be neither pulled nor made: no apt-get."
    local folder root
    folder=$(mktemp -d)
    # shellcheck disable=SC2064  # the folder of now, for the function's variable is gone by then
    trap "rm -rf '$folder'" EXIT
    root=$folder/root
    apt-get -qq update
    command -v debootstrap >/dev/null || DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends install debootstrap >"$folder/log" 2>&1 \
        || give_up "debootstrap did not install:" "$(tail -n 20 "$folder/log")"
    debootstrap --variant=minbase "$SUITE" "$root" "$(mirror)" >"$folder/log" 2>&1 \
        || give_up "debootstrap failed:" "$(tail -n 20 "$folder/log")"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/* \
        "$root"/usr/share/{doc,info,locale,man}/*
    copy_apt_settings "$root"
    copy_pip_settings "$root"
    local authorities=${PIP_CERT:-${SSL_CERT_FILE:-}} changes=(--change 'CMD ["bash"]')
    if [[ -f $authorities ]]; then
        # Not over Debian's own bundle: its package writes that one anew.
        install -D -m 644 "$authorities" "$root/etc/ssl/machine.crt"
        changes+=(--change "ENV PIP_CERT=/etc/ssl/machine.crt SSL_CERT_FILE=/etc/ssl/machine.crt")
    fi
    tar --create --numeric-owner --directory "$root" . | docker import "${changes[@]}" - "$IMAGE"
}

if docker image inspect "$IMAGE" >/dev/null 2>&1; then
    echo "the engine has $IMAGE"
elif $(command -v timeout >/dev/null && echo timeout "$PULL_TIMEOUT_S") \
    docker pull --quiet "$IMAGE" 2>/dev/null; then
    echo "pulled $IMAGE"
else
    echo "no registry gives $IMAGE: making it of Debian's packages"
    from_packages
fi
