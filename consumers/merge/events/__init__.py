"""What arrives, judged whole: an event of the feed, a gap, a reading; each field by the judge, the record's life by its own. Pure."""
