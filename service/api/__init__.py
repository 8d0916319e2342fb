"""Everything that knows HTTP: native routes, request bodies, problems."""
