"""The backends that come with xnn: the only files that name an array library."""
