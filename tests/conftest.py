"""Settings that must be in place before scikit-learn is imported."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # else the array API checks are skipped
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the workers share the cores already
