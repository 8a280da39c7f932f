"""`python -m aotwin` is the same as `aotwin`."""

from __future__ import annotations

import sys

from aotwin.cli import main

sys.exit(main())
