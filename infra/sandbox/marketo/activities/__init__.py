"""The activity log as clients read it, its types, and custom activities."""
