"""What every test needs: the helper modules on the path, and hypothesis that gives the same examples everywhere."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("bpnet", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("bpnet")
