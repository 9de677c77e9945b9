#!/bin/sh
# Finds a Python that will do and lets it carry out the set-up. Everything else is in infra/setup/__main__.py.
set -eu
cd "$(dirname "$0")/../.."
for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$candidate" -m infra.setup "$@"
    fi
done
echo "set-up: Tandem needs Python 3.11 or later; install it (Debian, Ubuntu: apt-get install python3.11) and try again." >&2
exit 1
