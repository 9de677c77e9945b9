#!/bin/sh
# Writes the locked requirements anew (`make lock`). No address of an index and no path of this machine gets into the files.
set -eu
cd "$(dirname "$0")/../.."
UV_CUSTOM_COMPILE_COMMAND="make lock"
export UV_CUSTOM_COMPILE_COMMAND
lock() { # lock NAME INPUT...
    name=$1
    shift
    .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate \
        --output-file "infra/requirements/$name.txt" "$@"
}
lock runtime pyproject.toml infra/requirements/build.in
lock dev --extra dev pyproject.toml infra/requirements/build.in
lock systems infra/requirements/systems.in
lock maven infra/requirements/maven.in
lock tap-marketo infra/requirements/tap-marketo.in
lock tap-salesforce infra/requirements/tap-salesforce.in
.venv/bin/python -m infra.setup.jars
