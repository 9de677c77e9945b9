"""`python -m infra.sandbox.salesforce --config FILE`: the Salesforce org of the sandbox, started by tandem-sandbox."""

from infra.sandbox.kernel.process import main
from infra.sandbox.salesforce.process import build

if __name__ == "__main__":
    main("salesforce", build)
