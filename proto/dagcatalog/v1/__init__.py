"""Generated protobuf and gRPC stubs of `dagcatalog.v1`; never edited by hand."""
