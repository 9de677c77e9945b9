"""What `tandem setup` makes in Marketo: fields, types of activities, types of custom objects."""
