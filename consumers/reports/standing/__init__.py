"""How everything stands: status, lists, cycles, coverage, drift, what lags behind."""
