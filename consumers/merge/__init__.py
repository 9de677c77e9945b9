"""The merge: each edit is judged once, in its own side's order, against what that side showed; `fold` is the door. Pure."""
