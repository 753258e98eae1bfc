"""The checker inside the database: what its tables say, against the log and against each other."""
