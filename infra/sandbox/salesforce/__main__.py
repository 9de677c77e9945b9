"""`python -m infra.sandbox.salesforce --config FILE`: the Salesforce org of the sandbox, started by tandem-sandbox."""

import gc

from infra.sandbox.kernel.process import main
from infra.sandbox.salesforce.process import build

if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 100)  # rows form no cycles: walking hundreds of thousands of them finds nothing
    main("salesforce", build)
