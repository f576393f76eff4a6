"""`python -m flows.cli` is the script `mapmerge`."""

import sys

from flows.cli.main import main

sys.exit(main())
