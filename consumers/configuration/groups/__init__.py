"""Settings that belong together, a file each: connections, records, rules, currencies, custom objects, pace, upkeep, services, pushes."""
