"""Run the worker."""

import sys

from workflow_studio.worker.main import main

sys.exit(main())
