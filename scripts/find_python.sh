#!/bin/sh
# Prints the newest Python between 3.11 and 3.13 that is installed and can make virtual environments.
for name in python3.13 python3.12 python3.11 python3 python; do
  "$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 &&
    { echo "$name"; exit 0; }
done
echo "Sendmart needs Python 3.11, 3.12 or 3.13 with the module venv. On Debian and Ubuntu: apt-get install python3 python3-venv" >&2
exit 1
