#!/bin/sh
# Sees to it that the image debian:trixie-slim is there: as it is, pulled, or made from Debian's packages (about 20 s).
# usage: deploy/base-image.sh
set -eu
image=debian:trixie-slim
docker image inspect "$image" >/dev/null 2>&1 && exit 0
echo "Pulling $image" >&2
timeout 60 docker pull "$image" >/dev/null 2>&1 && exit 0
echo "No registry to pull from: making $image from Debian packages" >&2
command -v mmdebstrap >/dev/null 2>&1 || {
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update >/dev/null
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap >/dev/null
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)*\([^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
# shellcheck disable=SC2016,SC2086
mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --aptopt='Acquire::Languages "none"' \
    --customize-hook='echo "APT::Keep-Downloaded-Packages \"false\";" >"$1/etc/apt/apt.conf.d/docker-clean"' \
    trixie "$tmp/base.tar" $mirror
docker import --change 'CMD ["bash"]' "$tmp/base.tar" "$image" >/dev/null
