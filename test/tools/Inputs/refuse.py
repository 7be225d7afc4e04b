"""refuse.py EXPECTED COMMAND...: the command must end with exit code 1, nothing on stdout, and on stderr one line that matches EXPECTED."""
import re
import subprocess
import sys

expected, *command = sys.argv[1:]
result = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
text = result.stderr.decode(errors="replace").rstrip("\n")
if result.returncode != 1 or result.stdout or "\n" in text or not re.fullmatch(rf"ds-\w+: error: {expected}", text):
    sys.exit(f"{' '.join(command)}: exit code {result.returncode}, stdout {result.stdout[:200]}, stderr:\n{text[:2000]}\nexpected: {expected}")
