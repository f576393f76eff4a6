"""Do what a page says: its shell commands as one script, with models and servers of the test's own."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENT = "source .venv/bin/activate\n"
"""What a page says so that commands are found."""


def shell_blocks(page):
    """Return the shell blocks of a page."""
    return re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def follow(script, changes: Mapping[str, str], folder):
    """Run a script in a folder, after putting in what differs here; the first command that fails ends it."""
    here = {ENVIRONMENT: f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={ROOT}\n"}
    for theirs, ours in {**here, **changes}.items():
        assert theirs in script
        script = script.replace(theirs, ours)
    return subprocess.run(["bash", "-ec", script], cwd=folder, capture_output=True, text=True)
