"""The ledger: pairs, what is due for them, offsets and decisions. `port` says what it promises; `postgres` keeps it, `memory` imitates it."""
