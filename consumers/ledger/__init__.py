"""The ledger: pairs, what is due for them, offsets, decisions. `port`: what it promises; `postgres` keeps it, `memory` imitates it."""
