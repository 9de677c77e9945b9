"""What yields change events of Marketo: the walk along its activities, the polls, and how rows become typed values."""
