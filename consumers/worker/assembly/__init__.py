"""Each role put together out of its parts."""
