"""For every test: silence of a tool whose notice would only be noise."""

import os

# Node 20, which jsii no longer supports, does run it; make says the same.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
