"""`dagctl`, the terminal tool: needs the extra `cli` (click, rich, pyyaml)."""
