"""A local copy of the catalog, kept up to date by a watch: what decides, and its two shells."""
