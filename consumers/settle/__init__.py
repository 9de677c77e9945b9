"""What is owed to a system, written in full calls: claims, calls, answers, and looks where the feed is silent."""
