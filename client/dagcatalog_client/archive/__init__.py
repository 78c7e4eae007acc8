"""A catalog's DAGs as a tar file: documents, sources and what is known of them."""
