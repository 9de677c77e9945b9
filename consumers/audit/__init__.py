"""The drift audit: both sides compared under a budget, record by record; what differs is read again, classed, shown, mended if asked."""
