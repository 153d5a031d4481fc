"""Installs the lock file into the virtual environment that runs this script, and shows how far pip is.

pip's own output is kept in a log file beside the environment; it is printed when pip fails. Standard library only:
this runs before anything is installed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

MAX_LINE = 60


def main(lock_file: str) -> int:
    """Installs `lock_file`; returns pip's exit code."""
    lines = Path(lock_file).read_text(encoding="utf-8").splitlines()
    # Some packages of the lock file are for other platforms or Python versions.
    expected = sum("==" in line and "sys_platform == 'win32'" not in line for line in lines)
    command = [
        *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "--no-input"),
        *("--require-hashes", "--requirement", lock_file),
    ]
    print(f"Installing about {expected} packages from {lock_file}; this takes a minute or two.", flush=True)
    is_terminal = sys.stdout.isatty()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert pip.stdout is not None
        collected, reported = 0, 0
        for line in pip.stdout:
            log.write(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                collected += 1
                percent = min(99, 100 * collected // max(expected, 1))
                if is_terminal:
                    print(f"\r  {percent:3} %  {line.strip()[:MAX_LINE]:{MAX_LINE}}", end="", flush=True)
                elif percent >= reported + 20:
                    reported = percent - percent % 20
                    print(f"  {reported} %", flush=True)
            elif line.startswith("Installing collected packages"):
                if is_terminal:
                    print("\r" + " " * (MAX_LINE + 9) + "\r", end="")
                print(f"  Downloaded. Unpacking {collected} packages.", flush=True)
        exit_code = pip.wait()
        if exit_code:
            log.seek(0)
            print("\n" + log.read(), file=sys.stderr)
            print(
                f"pip could not install {lock_file}; its output is above. Repeat the command to retry.", file=sys.stderr
            )
        return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
