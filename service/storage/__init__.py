"""Where jobs and keys are kept: SQLite or PostgreSQL, one schema, migrated in process."""
