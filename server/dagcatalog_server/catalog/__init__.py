"""What the catalog decides, in plain synchronous Python: no protobuf, no SQL, no event loop."""
