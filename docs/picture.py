"""Draw the front of a run as a picture for the documentation.

python docs/picture.py RUN --out docs/images/front.svg
"""

import argparse
from pathlib import Path

from mapmerge.finished import FinishedRun
from mapmerge.report.figures import front_svg


def main() -> None:
    """Read the result of a complete run and write its static figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", metavar="RUN", help="URI of a complete run")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.svg", help="file to write")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(front_svg(FinishedRun.open(options.run).result), encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
