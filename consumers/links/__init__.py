"""Which campaign is linked with which program: said by a person, kept in the database, followed by every worker."""
