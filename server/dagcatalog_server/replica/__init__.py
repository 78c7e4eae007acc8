"""What this replica knows of the catalog: it follows the change log, and answers from memory."""
