"""The merge: each edit is judged once, in its own side's order, against what that side showed; `events.fold` is the door. Pure."""
